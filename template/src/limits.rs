//! Every bound of the renderer, in one place.

use std::time::Duration;

/// A template's own text. Larger ones are refused before they are parsed.
pub const TEMPLATE_BYTES: usize = 4 << 20;
/// What one template may render.
pub const OUTPUT_BYTES: usize = 64 << 20;
/// One string that a function builds (`repeat`, `printf` with a width, ...).
pub const VALUE_BYTES: usize = 32 << 20;
/// Items of one list that a function builds (`loop`, `until`, ...).
pub const LIST_ITEMS: usize = 1_000_000;
/// Nested blocks and parentheses in a template's text.
pub const PARSE_DEPTH: usize = 100;
/// Nested blocks, pipelines and template calls while rendering. A thread's stack is what it protects.
pub const RENDER_DEPTH: usize = 200;
/// Steps (nodes visited) of one pass over one template.
pub const RENDER_STEPS: u64 = 10_000_000;
/// Rounds of loops and calls of functions in one pass of a handlebars template; each costs more than a step.
pub const HANDLEBARS_STEPS: u64 = 1_000_000;
/// Nesting of a JSON or YAML document.
pub const DOCUMENT_DEPTH: usize = 128;
/// Passwords that one pass derives: each takes 32 MiB and some tenths of a second.
pub const DERIVED_PASSWORDS: u32 = 32;
/// A compiled regular expression.
pub const REGEX_BYTES: usize = 4 << 20;
/// Distinct dependencies of one task's templates.
pub const DEPENDENCIES: usize = 4096;
/// Passes of one template in one wake-up of the runner: each may only be caused by data that the one before asked for.
pub const PASSES_PER_WAKE: usize = 64;
/// Events that wait for the one who reads them; the runner waits when it is full.
pub const EVENT_QUEUE: usize = 64;
/// An environment file.
pub const ENV_FILE_BYTES: usize = 4 << 20;

/// Quiet window of changes after the first one, when a template has no `wait` of its own: the first change renders at once, changes that
/// follow within this time are gathered until nothing came for `QUIET_MIN`, at most `QUIET_MAX`.
pub const QUIET_MIN: Duration = Duration::from_millis(10);
/// See [`QUIET_MIN`].
pub const QUIET_MAX: Duration = Duration::from_millis(100);
/// How long the set of missing dependencies must stand still before it is told.
pub const MISSING_AFTER: Duration = Duration::from_secs(3);
/// How long a source must fail before a warning is told again.
pub const WARNING_AGAIN: Duration = Duration::from_secs(60);
/// How many different causes of one outage are told at once, without waiting for [`WARNING_AGAIN`].
pub const WARNING_CAUSES: usize = 4;
