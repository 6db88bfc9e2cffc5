//! The shop: a small HTTPS server, run as a task by the job files beside it.
//!
//! It reads its certificate, its secret and its feature flags from what the orchestrator rendered, and answers JSON that says what it was given, so that
//! whoever asks can check it. SIGHUP makes it read its flags again; SIGTERM and SIGINT let it finish what it answers and leave with 0.

use std::{env, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::{Response, StatusCode, body::Bytes, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// What the flags file says, and how often it was read.
#[derive(Clone, Debug)]
struct Flags {
    values: Value,
    reads: u64,
}

/// What one instance answers with.
#[derive(Debug)]
struct Shop {
    version: String,
    secret: Option<String>,
    flags: watch::Receiver<Flags>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let flags_path = env::var("SHOP_FLAGS").context("SHOP_FLAGS names no file: run this as a task of examples/shop/shop.nomad.hcl")?;
    let (flags_in, flags) = watch::channel(Flags { values: read_flags(&flags_path)?, reads: 1 });
    let shop = Arc::new(Shop {
        version: env::var("SHOP_VERSION").context("SHOP_VERSION is not set")?,
        secret: env::var("DB_PASSWORD").ok(),
        flags,
    });
    let acceptor = acceptor(&env::var("SHOP_CERT").context("SHOP_CERT names no file")?)?;
    let address: SocketAddr = listen_address()?;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
    println_line(&format!("shop {} listens at {address}", shop.version));
    tokio::spawn(reload_on_hangup(flags_path, flags_in));
    serve(listener, acceptor, shop).await
}

fn listen_address() -> Result<SocketAddr> {
    let host = env::var("NOMAD_IP_https").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let port = env::var("NOMAD_PORT_https").context("NOMAD_PORT_https is not set")?;
    format!("{host}:{port}").parse().with_context(|| format!("{host}:{port} is not an address"))
}

fn read_flags(path: &str) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the flags at {path}"))?;
    serde_json::from_str(&text).with_context(|| format!("{path} is not JSON"))
}

/// Certificate, key and CA stand in one file, as the template wrote them.
fn acceptor(path: &str) -> Result<TlsAcceptor> {
    let path = Path::new(path);
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).with_context(|| format!("no certificate in {}", path.display()))?;
    let key = PrivateKeyDer::from_pem_file(path).with_context(|| format!("no private key in {}", path.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context("certificate and key do not fit together")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A half-written or broken file keeps the last good flags.
async fn reload_on_hangup(path: String, flags: watch::Sender<Flags>) -> Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    while hangups.recv().await.is_some() {
        match read_flags(&path) {
            Ok(values) => flags.send_modify(|flags| *flags = Flags { values, reads: flags.reads + 1 }),
            Err(error) => println_line(&format!("kept the old flags: {error:#}")),
        }
    }
    Ok(())
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shop: Arc<Shop>) -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => { println_line(&format!("accept: {error}")); continue }
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let (acceptor, shop, watcher) = (acceptor.clone(), Arc::clone(&shop), graceful.watcher());
        tokio::spawn(async move {
            let Ok(Ok(stream)) = timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await else { return };
            let service = service_fn(move |_request| {
                let answer = answer(&shop);
                async move { answer }
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            // A client that leaves early is its own affair.
            let _ = watcher.watch(connection).await;
        });
    }
    drop(listener);
    // Whoever is slower than this is cut off: the orchestrator would kill us anyway.
    let _ = timeout(DRAIN_LIMIT, graceful.shutdown()).await;
    Ok(())
}

fn answer(shop: &Shop) -> Result<Response<Full<Bytes>>> {
    let flags = shop.flags.borrow().clone();
    let body = json!({
        "version": shop.version,
        "alloc": env::var("NOMAD_ALLOC_ID").ok(),
        "index": env::var("NOMAD_ALLOC_INDEX").ok(),
        "secret": shop.secret,
        "vault_token": env::var("VAULT_TOKEN").is_ok_and(|token| !token.is_empty()),
        "flags": flags.values,
        "reloads": flags.reads,
        "pid": std::process::id(),
    });
    // A version named "bad..." never becomes healthy: that is what the story of a refused roll-out needs.
    let sick = shop.version.starts_with("bad") || Path::new("local/sick").exists();
    let status = if sick { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::from(body.to_string()))?)
}

#[expect(clippy::print_stdout, reason = "a task's log is its standard output")]
fn println_line(line: &str) {
    println!("{line}");
}
