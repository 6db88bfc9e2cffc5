use drover_runtime::OsRandom;

use super::*;

#[test]
fn addresses_get_the_scheme_that_is_meant() {
    for (address, tls, base) in [
        ("127.0.0.1:8500", false, "http://127.0.0.1:8500"),
        ("127.0.0.1:8500", true, "https://127.0.0.1:8500"),
        ("http://vault:8200/", true, "http://vault:8200"),
        ("unix:///run/consul.sock", false, "http://localhost"),
    ] {
        assert_eq!(base_of(address, tls), base);
    }
}

#[test]
fn a_peer_can_be_asked_by_the_name_in_its_certificate() {
    for (base, renamed, host, port) in [
        ("https://10.0.0.1:8200", "https://vault.example.org:8200", "10.0.0.1", 8200),
        ("https://[::1]", "https://vault.example.org", "::1", 443),
    ] {
        let (found, resolver) = Renamed::new(base, "vault.example.org").unwrap();
        assert_eq!((found.as_str(), resolver.host.as_str(), resolver.port), (renamed, host, port));
    }
}

#[test]
fn a_peer_is_named_without_credentials() {
    let endpoint = Endpoint::new("Consul", "http://user:hush@127.0.0.1:8500", false, &Tls::default(), DEFAULT_TIMEOUT).unwrap();
    assert_eq!(endpoint.peer(), "Consul at 127.0.0.1:8500");
    assert!(!format!("{endpoint:?}").contains("hush"));
}

#[test]
fn paths_are_encoded() {
    for (text, keep, encoded) in [("a b/c", "/", "a%20b/c"), ("a/b", "", "a%2Fb"), ("ü?#", "/", "%C3%BC%3F%23"), ("a-b._~", "", "a-b._~")]
    {
        assert_eq!(encode(text, keep), encoded);
    }
}

#[test]
fn pauses_grow_to_their_limit() {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(400));
    for most in [100, 200, 400, 400] {
        let pause = backoff.pause(&OsRandom);
        assert!(pause >= Duration::from_millis(most / 2) && pause <= Duration::from_millis(most), "{pause:?} {most}");
    }
    backoff.reset();
    assert!(backoff.pause(&OsRandom) <= Duration::from_millis(100));
}

#[tokio::test]
async fn nobody_there_is_transient_and_says_so() {
    // Bound and closed again: nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = Endpoint::new("Consul", &address.to_string(), false, &Tls::default(), DEFAULT_TIMEOUT).unwrap();
    let call = Call::get("/v1/kv/a").query("x", "y").header("x-consul-token", SecretText::new("hush"));
    let error = endpoint.send(call).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("Consul at 127.0.0.1") && text.contains("GET /v1/kv/a") && !text.contains("hush"), "{text}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_and_a_slow_one_given_up() {
    use axum::{Router, body::Body, routing::get};
    let endless =
        || async { Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0_u8; 1 << 20])))) };
    let app = Router::new().route("/endless", get(endless)).route("/slow", get(std::future::pending::<()>));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let endpoint = Endpoint::new("Vault", &format!("http://{address}"), true, &Tls::default(), DEFAULT_TIMEOUT).unwrap();
    assert!(matches!(endpoint.send(Call::get("/endless")).await, Err(Error::TooLarge { .. })));
    let slow = endpoint.send(Call::get("/slow").timeout(Duration::from_millis(50))).await;
    assert!(matches!(slow, Err(Error::Timeout { .. })), "{slow:?}");
    server.abort();
}
