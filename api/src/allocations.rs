//! `/v1/allocations`, `/v1/allocation/...`, `/v1/evaluation...` and what one client knows of its allocations.

use bytes::Bytes;
use drover_model::{
    allocation::Allocation,
    evaluation::Evaluation,
    rpc::client::{FileFrame, FileInfo},
    view::AllocationStub,
};
use futures::{Stream, StreamExt, stream::BoxStream};
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

    /// Lists a folder beneath an allocation's own.
    pub async fn file_list(&self, alloc_id: &str, path: &str) -> Result<Answer<Vec<FileInfo>>, Error> {
        self.get(&format!("/v1/client/fs/ls/{}", segment(alloc_id)), &[("path", path)]).await
    }

    /// Describes a file beneath an allocation's folder.
    pub async fn file_stat(&self, alloc_id: &str, path: &str) -> Result<Answer<FileInfo>, Error> {
        self.get(&format!("/v1/client/fs/stat/{}", segment(alloc_id)), &[("path", path)]).await
    }

    /// Reads a file beneath an allocation's folder, in pieces.
    pub async fn file(&self, read: &FileRead<'_>) -> Result<impl Stream<Item = Result<FileFrame, Error>> + use<>, Error> {
        let offset = read.offset.to_string();
        let query = [
            ("path", read.path),
            ("follow", crate::jobs::flag(read.follow)),
            ("origin", if read.from_end { "end" } else { "start" }),
            ("offset", &offset),
        ];
        let stream = self.stream(&format!("/v1/client/fs/stream/{}", segment(read.alloc_id)), &query).await?;
        Ok(frames(stream.boxed()))
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

/// Which file, and from where.
#[derive(Clone, Copy, Debug)]
pub struct FileRead<'a> {
    pub alloc_id: &'a str,
    pub path: &'a str,
    pub follow: bool,
    pub from_end: bool,
    pub offset: u64,
}

/// A frame that is not whole yet may be so large; each carries 64 KiB of data at most.
const MOST_FRAME_BYTES: usize = 1 << 20;

/// JSON objects that come one after another, cut anywhere.
fn frames(pieces: BoxStream<'static, Result<Bytes, Error>>) -> impl Stream<Item = Result<FileFrame, Error>> + use<> {
    futures::stream::try_unfold((pieces, Vec::new()), |(mut pieces, mut buffer)| async move {
        loop {
            let mut read = serde_json::Deserializer::from_slice(&buffer).into_iter::<FileFrame>();
            match read.next() {
                Some(Ok(frame)) => {
                    buffer.drain(..read.byte_offset());
                    return Ok(Some((frame, (pieces, buffer))));
                }
                Some(Err(error)) if !error.is_eof() || buffer.len() > MOST_FRAME_BYTES => {
                    return Err(Error::Answer { path: "a file's frames".to_owned(), reason: error.to_string() });
                }
                Some(Err(_)) | None => match pieces.next().await {
                    Some(piece) => buffer.extend_from_slice(&piece?),
                    None => return Ok(None),
                },
            }
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_found_wherever_they_are_cut() {
        let text = r#"{"File":"a","Offset":2,"Data":"aGk="}{}{"Data":"IQ=="}"#.as_bytes();
        for size in [1, 7, 100] {
            let pieces: Vec<_> = text.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let read: Vec<_> = frames(futures::stream::iter(pieces).boxed()).map(|frame| frame.unwrap().data).collect().await;
            assert_eq!(read, [b"hi".to_vec(), Vec::new(), b"!".to_vec()], "pieces of {size}");
        }
        let broken = futures::stream::iter([Ok(Bytes::from_static(b"{}]"))]).boxed();
        let read: Vec<_> = frames(broken).collect().await;
        assert!(read.len() == 2 && read[1].is_err());
    }
}
