use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn check(kind: CheckKind) -> Check {
    Check {
        id: "c".to_owned(),
        name: "c".to_owned(),
        kind,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
        initial_status: None,
        success_before_passing: 0,
        failures_before_warning: 0,
        failures_before_critical: 0,
        notes: String::new(),
        deregister_after: None,
    }
}

#[test]
fn states_change_after_enough_outcomes_in_a_row() {
    use CheckStatus::{Critical as C, Passing as P, Warning as W};
    for (name, [passing, warning, critical], outcomes, want) in [
        ("at once", [0, 0, 0], vec![P, C, P], vec![P, C, P]),
        ("slow to pass", [1, 0, 0], vec![P, P, C, P, P], vec![C, P, C, C, P]),
        ("slow to fail", [0, 0, 2], vec![P, C, C, C, P], vec![P, P, P, C, P]),
        ("a failure between starts the count anew", [0, 0, 1], vec![P, C, P, C, C], vec![P, P, P, P, C]),
        ("a warning on the way", [0, 1, 3], vec![P, C, C, C, C], vec![P, P, W, W, C]),
        ("a warning is told at once", [0, 0, 3], vec![P, W], vec![P, W]),
    ] {
        let settings = check(CheckKind::Tcp { address: String::new() });
        let settings =
            Check { success_before_passing: passing, failures_before_warning: warning, failures_before_critical: critical, ..settings };
        let mut counter = Counter::new(&settings);
        let got: Vec<_> = outcomes.into_iter().map(|outcome| counter.count(outcome)).collect();
        assert_eq!(got, want, "{name}");
    }
}

/// Answers each connection with one status line, in turn.
async fn server(statuses: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            let request = String::from_utf8_lossy(&buffer[..read]).to_string();
            assert!(request.starts_with("PUT /ready HTTP/1.1\r\n") && request.contains("x-a: 1\r\n"), "{request}");
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").as_bytes()).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn http_answers_and_their_meaning() {
    let address = server(&["200 OK", "204 No Content", "429 Slow", "500 Bad", "301 Moved"]).await;
    let kind = CheckKind::Http {
        url: format!("http://{address}/ready"),
        method: "put".to_owned(),
        headers: [("X-A".to_owned(), vec!["1".to_owned()])].into(),
        body: String::new(),
        tls_server_name: String::new(),
        tls_skip_verify: false,
    };
    let (check, prober) = (check(kind), Prober::default());
    for want in [CheckStatus::Passing, CheckStatus::Passing, CheckStatus::Warning, CheckStatus::Critical, CheckStatus::Critical] {
        let outcome = prober.probe(&check).await;
        assert_eq!(outcome.status, want, "{outcome:?}");
    }
    let gone = prober.probe(&check).await;
    assert_eq!(gone.status, CheckStatus::Critical, "nobody listens any more: {gone:?}");
}

#[tokio::test]
async fn tcp_connects_or_does_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let check = check(CheckKind::Tcp { address: listener.local_addr().unwrap().to_string() });
    let prober = Prober::default();
    assert_eq!(prober.probe(&check).await.status, CheckStatus::Passing);
    drop(listener);
    assert_eq!(prober.probe(&check).await.status, CheckStatus::Critical);
}
