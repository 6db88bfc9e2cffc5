//! Job files: HCL2 text to the model's submitted job.
//!
//! What it is: syntax (hcl-edit's parser behind limits of our own), an evaluator with variables, locals, functions and dynamic blocks, and tables of
//! what a job may contain. Every problem is a [`Diagnostic`] with its place in the text.
//!
//! What it must not know: servers, networks, and files other than through [`Files`], which only a command line hands in. What a job *means* is
//! validated in the model; here it is only read.
//!
//! Where to start: [`parse`]; then `schema` (the tables), `decode` (blocks along the tables), `eval` (expressions).
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::collections::BTreeMap;

use drover_model::spec::JobSpec;
use hcl_edit::structure::{Body, Structure};

use decode::Instance;
use diagnostic::Source;
use eval::{Evaluator, Scope};
use functions::Environment;
use syntax::span;

pub use diagnostic::{Diagnostic, Place, to_api_text, to_terminal_text};
pub use documents::{Document, parse_document};
pub use functions::{Files, LocalFiles, RandomBytes};
pub use syntax::MAX_SOURCE_BYTES;
pub use variables::ENVIRONMENT_PREFIX;

mod decode;
mod diagnostic;
mod documents;
mod eval;
mod functions;
mod locals;
mod scan;
mod schema;
mod suggest;
mod syntax;
mod types;
mod value;
mod variables;

/// A file of variable values.
#[derive(Clone, Debug, Default)]
pub struct VariableFile {
    pub name: String,
    pub content: String,
}

/// What a job file is read with.
#[derive(Default)]
pub struct ParseOptions<'a> {
    /// The name that diagnostics use; `input.hcl` when empty.
    pub file_name: String,
    /// `-var name=value`, in order.
    pub variables: Vec<(String, String)>,
    /// `-var-file`, in order.
    pub variable_files: Vec<VariableFile>,
    /// The environment; only names with [`ENVIRONMENT_PREFIX`] matter.
    pub environment: BTreeMap<String, String>,
    /// Whether a variable that a file sets but nothing declares is an error instead of a warning.
    pub strict: bool,
    /// The files that functions such as `file` may read; none on a server.
    pub files: Option<&'a dyn Files>,
    /// Where `uuidv4` takes its bytes from.
    pub random: Option<RandomBytes<'a>>,
}

impl std::fmt::Debug for ParseOptions<'_> {
    /// Without the values of variables, which may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParseOptions").field("file_name", &self.file_name).field("strict", &self.strict).finish_non_exhaustive()
    }
}

/// Reads a job file. Returns the job as submitted, with what is odd about the file but no error; or all that is wrong with it.
pub fn parse(source: &str, options: &ParseOptions<'_>) -> Result<(JobSpec, Vec<Diagnostic>), Vec<Diagnostic>> {
    let name = if options.file_name.is_empty() { "input.hcl" } else { &options.file_name };
    let source = Source::new(name, source);
    let body = syntax::parse_body(&source).map_err(|problem| vec![problem])?;
    let environment = Environment { files: options.files, random: options.random };
    let evaluator = Evaluator::new(&source, &environment);
    let job = evaluate(&evaluator, &body, options);
    let problems = evaluator.take_diagnostics();
    match job {
        Some(job) if problems.is_empty() => serde_json::from_value(job)
            .map(|job| (job, evaluator.take_warnings()))
            .map_err(|error| vec![Diagnostic::general("Invalid job", error.to_string())]),
        _ if problems.is_empty() => Err(vec![Diagnostic::general("Missing job block", "A job block is required")]),
        _ => Err(problems),
    }
}

/// Variables, then locals, then the job; each only if what it builds on is sound.
fn evaluate(evaluator: &Evaluator<'_>, body: &Body, options: &ParseOptions<'_>) -> Option<serde_json::Value> {
    let job = find_job(evaluator, body);
    if evaluator.has_errors() {
        return None;
    }
    let variables = variables::resolve(evaluator, body, options);
    let scope = Scope::default().with("var", variables);
    if evaluator.has_errors() {
        return None;
    }
    let locals = locals::resolve(evaluator, body, &scope);
    let scope = scope.with("local", locals);
    let job = job.filter(|_| !evaluator.has_errors())?;
    let instance = Instance { scope, ..job };
    Some(evaluator.decode(&instance, &schema::JOB, Some("@label")))
}

/// The one job block; everything else at the top of the file is checked here too.
fn find_job<'b>(evaluator: &Evaluator<'_>, body: &'b Body) -> Option<Instance<'b>> {
    const BLOCKS: [&str; 4] = ["job", "variable", "variables", "locals"];
    let mut found: Option<Instance<'b>> = None;
    for structure in body {
        let block = match structure {
            Structure::Attribute(attribute) => {
                let detail = format!("An argument named \"{}\" is not expected here.", attribute.key.value());
                evaluator.fail(span(&attribute.key), "Unsupported argument", detail);
                continue;
            }
            Structure::Block(block) => block,
        };
        let instance = Instance::plain(evaluator, block, &Scope::default());
        if !BLOCKS.contains(&instance.name.as_str()) {
            let hint =
                suggest::nearest(&instance.name, BLOCKS.into_iter()).map_or_else(String::new, |near| format!(" Did you mean \"{near}\"?"));
            let detail = format!("Blocks of type \"{}\" are not expected here.{hint}", instance.name);
            evaluator.fail(instance.ident, "Unsupported block type", detail);
        } else if instance.name == "job" {
            match &found {
                Some(first) => {
                    let detail = format!(
                        "Only one block of type \"job\" is allowed. Previous definition was at {}.",
                        evaluator.source.place(first.header.clone())
                    );
                    evaluator.fail(instance.header, "Duplicate job block", detail);
                }
                None if evaluator.labels_fit(&instance, "job", 1) => found = Some(instance),
                None => {}
            }
        }
    }
    found
}
