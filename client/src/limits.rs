//! Every bound of the client, in one place.

use std::time::Duration;

/// Commands that wait for a task or allocation runner.
pub const COMMAND_QUEUE: usize = 16;
/// One call to the servers, other attempts to find one that answers included.
pub const SERVER_CALL: Duration = Duration::from_secs(10);
/// One answer of one server. Shorter than [`SERVER_CALL`], so that there is time to leave a server that hangs.
pub const SERVER_REPLY: Duration = Duration::from_secs(8);
/// A heartbeat waits for its answer for a part of the time that the servers give, but never less than this.
pub const HEARTBEAT_PATIENCE: Duration = Duration::from_secs(1);
/// First and longest pause between attempts to reach the servers.
pub const RETRY_FIRST: Duration = Duration::from_millis(100);
/// See [`RETRY_FIRST`].
pub const RETRY_MOST: Duration = Duration::from_secs(15);
/// Allocations in one report.
pub const REPORT_ALLOCATIONS: usize = 512;
/// How long changes of a running allocation are gathered while the servers are busy with the report before.
pub const REPORT_PAUSE: Duration = Duration::from_millis(5);
/// A heartbeat interval that the servers ask for is kept between these.
pub const HEARTBEAT_LEAST: Duration = Duration::from_millis(250);
/// See [`HEARTBEAT_LEAST`].
pub const HEARTBEAT_MOST: Duration = Duration::from_secs(600);
/// How long a stopping allocation waits for its services to leave the catalogues.
pub const DEREGISTER: Duration = Duration::from_secs(5);
/// Pauses between attempts to get a token or an identity.
pub const TOKEN_RETRY_FIRST: Duration = Duration::from_millis(250);
/// See [`TOKEN_RETRY_FIRST`].
pub const TOKEN_RETRY_MOST: Duration = Duration::from_secs(60);
/// One call for a token.
pub const TOKEN_CALL: Duration = Duration::from_secs(30);
/// How long the driver may take to start a task (the driver's own downloads included).
pub const DRIVER_START: Duration = Duration::from_secs(15 * 60);
/// How long a killed task may take to be gone after SIGKILL before the runner stops waiting for it.
pub const KILL_CONFIRM: Duration = Duration::from_secs(30);
/// A record of the client's state.
pub const STATE_RECORD_BYTES: u64 = 64 << 20;
/// The client's whole state.
pub const STATE_FILE_BYTES: u64 = 1 << 30;
/// Dead bytes in the state file before it is written anew.
pub const STATE_SLACK_BYTES: u64 = 4 << 20;
/// Between two times that the state's file is written anew.
pub const STATE_PAUSE: Duration = Duration::from_secs(1);
/// Commands that people run in tasks at a time, and pieces of input that wait for one.
pub const EXEC_SESSIONS: usize = 64;
/// See [`EXEC_SESSIONS`].
pub const EXEC_INPUT: usize = 64;
/// One piece of a file or log on the wire.
pub const FRAME_BYTES: usize = 64 << 10;
/// A folder's listing.
pub const LIST_ENTRIES: usize = 10_000;
/// How often a followed file is looked at.
pub const FOLLOW_POLL: Duration = Duration::from_millis(100);
/// A followed stream shows that it is alive.
pub const FOLLOW_HEARTBEAT: Duration = Duration::from_secs(10);
/// An artifact, and the time to fetch it.
pub const ARTIFACT_BYTES: u64 = 100 << 30;
/// See [`ARTIFACT_BYTES`].
pub const ARTIFACT_FETCH: Duration = Duration::from_secs(30 * 60);
/// The answer of a check that is kept to show.
pub const CHECK_OUTPUT_BYTES: usize = 3 << 10;
/// A program that a template runs for its output (`plugin`), where that is allowed.
pub const PLUGIN_RUN: Duration = Duration::from_secs(30);
/// See [`PLUGIN_RUN`].
pub const PLUGIN_OUTPUT_BYTES: u64 = 4 << 20;
/// Output of a script that a template runs.
pub const SCRIPT_OUTPUT_BYTES: usize = 64 << 10;
/// A rendered file that is read back (an environment file, a certificate).
pub const RENDERED_BYTES: u64 = 64 << 20;
/// Files of `/proc` and `/sys`.
pub const PROC_BYTES: u64 = 4 << 20;
