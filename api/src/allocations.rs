//! `/v1/allocations`, `/v1/allocation/...`, `/v1/evaluation...` and what one client knows of its allocations.

use bytes::Bytes;
use drover_model::{allocation::Allocation, evaluation::Evaluation, view::AllocationStub};
use futures::Stream;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Error, segment};

impl Client {
    pub async fn allocations(&self, prefix: &str) -> Result<Answer<Vec<AllocationStub>>, Error> {
        self.get("/v1/allocations", &[("prefix", prefix)]).await
    }

    pub async fn allocation(&self, id: &str) -> Result<Answer<Allocation>, Error> {
        self.get(&format!("/v1/allocation/{}", segment(id)), &[]).await
    }

    /// Stops an allocation, so that another takes its place. Answers the evaluation's id.
    pub async fn stop_allocation(&self, id: &str, no_shutdown_delay: bool) -> Result<Answer<Value>, Error> {
        let query = [("no_shutdown_delay", crate::jobs::flag(no_shutdown_delay))];
        self.put(&format!("/v1/allocation/{}/stop", segment(id)), &query, &json!({})).await
    }

    pub async fn restart_allocation(&self, id: &str, task: Option<&str>, all: bool) -> Result<Answer<Value>, Error> {
        let body = json!({ "TaskName": task.unwrap_or_default(), "AllTasks": all });
        self.put(&format!("/v1/client/allocation/{}/restart", segment(id)), &[], &body).await
    }

    pub async fn signal_allocation(&self, id: &str, task: Option<&str>, signal: &str) -> Result<Answer<Value>, Error> {
        let body = json!({ "Task": task.unwrap_or_default(), "Signal": signal });
        self.put(&format!("/v1/client/allocation/{}/signal", segment(id)), &[], &body).await
    }

    /// A task's log as plain bytes.
    pub async fn logs(&self, request: &LogRequest<'_>) -> Result<impl Stream<Item = Result<Bytes, Error>> + use<>, Error> {
        let offset = request.offset.to_string();
        let query = [
            ("task", request.task),
            ("type", request.kind),
            ("follow", crate::jobs::flag(request.follow)),
            ("origin", if request.from_end { "end" } else { "start" }),
            ("offset", &offset),
            ("plain", "true"),
        ];
        self.stream(&format!("/v1/client/fs/logs/{}", segment(request.alloc_id)), &query).await
    }

    pub async fn evaluations(&self, prefix: &str) -> Result<Answer<Vec<Evaluation>>, Error> {
        self.get("/v1/evaluations", &[("prefix", prefix)]).await
    }

    pub async fn evaluation(&self, id: &str) -> Result<Answer<Evaluation>, Error> {
        self.get(&format!("/v1/evaluation/{}", segment(id)), &[]).await
    }

    pub async fn evaluation_allocations(&self, id: &str) -> Result<Answer<Vec<AllocationStub>>, Error> {
        self.get(&format!("/v1/evaluation/{}/allocations", segment(id)), &[]).await
    }
}

/// Which log, and from where.
#[derive(Clone, Copy, Debug)]
pub struct LogRequest<'a> {
    pub alloc_id: &'a str,
    pub task: &'a str,
    /// `stdout` or `stderr`.
    pub kind: &'a str,
    pub follow: bool,
    pub from_end: bool,
    pub offset: u64,
}
