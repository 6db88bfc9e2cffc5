//! Work that would hold up whatever else its thread has to do: long computing, and disks.

use std::io;

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs `work` on a thread that may be held up.
///
/// Where a single thread drives everything, which is how simulations run, the work is done on the spot: whether another thread is done first is not for a
/// seed to decide.
///
/// # Errors
///
/// When the work panicked, or the runtime ended before it began.
///
/// # Panics
///
/// Outside of a Tokio runtime.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => tokio::task::spawn_blocking(work).await.map_err(io::Error::other),
    }
}

/// Runs `work`, which may take long, on this thread, while another one takes over what else it has to do.
///
/// That costs some microseconds. Where a single thread drives everything, nothing is taken over.
///
/// # Panics
///
/// Outside of a Tokio runtime.
pub fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => work(),
        _ => tokio::task::block_in_place(work),
    }
}

/// The same where `work` takes `long`; else it is done as it is.
pub fn in_place_if<T>(long: bool, work: impl FnOnce() -> T) -> T {
    if long { in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn a_single_thread_does_all_itself() {
        let by = apart(|| thread::current().id()).await.unwrap();
        assert_eq!(by, thread::current().id());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn several_threads_are_not_held_up() {
        let by = tokio::spawn(async { (apart(|| thread::current().id()).await.unwrap(), thread::current().id()) });
        let (worked, asked) = by.await.unwrap();
        assert_ne!(worked, asked);
    }

    #[tokio::test]
    async fn a_single_thread_computes_in_place() {
        assert_eq!(in_place(|| 5), 5);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_computes_in_place_holds_up_nobody() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let computing = tokio::spawn(async move {
            tokio::spawn(async move { sender.send(7) });
            // Only another thread can send it.
            in_place(|| receiver.recv_timeout(std::time::Duration::from_secs(30)))
        });
        assert_eq!(computing.await.unwrap(), Ok(7));
    }
}
