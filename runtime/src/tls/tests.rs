//! Who may speak to whom, by their certificates.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    TcpNetwork,
    rpc::{Connection, Header, Hello, Router, ServeLimits, serve},
};

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(parameters, key) }
    }

    fn files(&self, folder: &Path, name: &str) -> Files {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap().pem();
        let write = |kind: &str, text: &str| {
            let path = folder.join(format!("{name}-{kind}.pem"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = [("ca", self.certificate.as_str()), ("cert", &certificate), ("key", &key.serialize_pem())];
        let [authority, certificate, key] = files.map(|(kind, text)| write(kind, text));
        Files { authority, certificate, key }
    }
}

fn network(files: &Files) -> Arc<TlsNetwork> {
    Arc::new(Tls::new(files, "global", Oldest::Tls12).unwrap().seal(Arc::new(TcpNetwork)))
}

#[tokio::test]
async fn a_certificate_decides_what_its_owner_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new();
    let server = network(&own.files(folder.path(), "server.global.nomad"));
    let listener = server.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap().to_string();
    let stop = CancellationToken::new();
    let hello = |role| Hello::new(role, "global", "somebody");
    let serving = tokio::spawn(serve(listener, hello(Role::Server), Arc::new(Router::new()), ServeLimits::default(), stop.clone()));
    let client = network(&own.files(folder.path(), "client.global.nomad"));
    let nobody = network(&own.files(folder.path(), "nobody.global.nomad"));
    let elsewhere = network(&own.files(folder.path(), "server.europe.nomad"));
    let strange_folder = tempfile::tempdir().unwrap();
    let strange = network(&Authority::new().files(strange_folder.path(), "server.global.nomad"));
    for (name, network, role, works) in [
        ("a server", &server, Role::Server, true),
        ("a client", &client, Role::Client, true),
        ("a server as an agent", &server, Role::Agent, true),
        ("a client that says it is a server", &client, Role::Server, false),
        ("somebody of this authority", &nobody, Role::Client, false),
        ("a server of another region", &elsewhere, Role::Server, false),
        ("a server of another authority", &strange, Role::Server, false),
    ] {
        let opened = Connection::open(&**network, &address, hello(role), Arc::new(Router::new())).await;
        // The other end's refusal comes after its hello.
        let stays = match opened {
            Ok(connection) => {
                let header = Header::default();
                let answered = connection.call_raw("nothing", &header, Bytes::new(), Duration::from_secs(5)).await;
                answered.is_err_and(|error| error.status == 404)
            }
            Err(_) => false,
        };
        assert_eq!(stays, works, "{name}");
    }
    assert!(Connection::open(&TcpNetwork, &address, hello(Role::Server), Arc::new(Router::new())).await.is_err(), "without TLS");
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn renewed_certificates_count_for_new_connections_and_leave_the_others_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::new(), Authority::new());
    let tls = Tls::new(&first.files(folder.path(), "server.global.nomad"), "global", Oldest::Tls12).unwrap();
    let server = tls.clone().seal(Arc::new(TcpNetwork));
    let listener = server.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap().to_string();
    let stop = CancellationToken::new();
    let hello = |role| Hello::new(role, "global", "somebody");
    let serving = tokio::spawn(serve(listener, hello(Role::Server), Arc::new(Router::new()), ServeLimits::default(), stop.clone()));
    let of_first = network(&first.files(folder.path(), "client.global.nomad"));
    let other = tempfile::tempdir().unwrap();
    let of_second = network(&second.files(other.path(), "client.global.nomad"));
    let opened =
        async |network: &Arc<TlsNetwork>| Connection::open(&**network, &address, hello(Role::Client), Arc::new(Router::new())).await.ok();
    let answers = async |connection: &Connection| {
        let answered = connection.call_raw("nothing", &Header::default(), Bytes::new(), Duration::from_secs(5)).await;
        answered.is_err_and(|error| error.status == 404)
    };
    let old = opened(&of_first).await.unwrap();
    assert!(answers(&old).await && opened(&of_second).await.is_none());

    let mut broken = second.files(other.path(), "server.global.nomad");
    let renewed = broken.clone();
    broken.key = folder.path().join("none.pem");
    assert!(tls.renew(&broken, Oldest::Tls12).unwrap_err().to_string().contains("none.pem"));
    assert!(opened(&of_first).await.is_some(), "nothing has changed");

    tls.renew(&renewed, Oldest::Tls12).unwrap();
    let new = opened(&of_second).await.unwrap();
    assert!(answers(&new).await && opened(&of_first).await.is_none());
    assert!(answers(&old).await, "it was there before");
    stop.cancel();
    serving.await.unwrap();
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let good = Authority::new().files(folder.path(), "server.global.nomad");
    let missing = Files { authority: folder.path().join("none.pem"), ..good.clone() };
    let error = Tls::new(&missing, "global", Oldest::Tls13).unwrap_err().to_string();
    assert!(error.contains("none.pem"), "{error}");
    std::fs::write(&good.key, "not a key").unwrap();
    let error = Tls::new(&good, "global", Oldest::Tls13).unwrap_err().to_string();
    assert!(error.contains("the private key") && error.contains("key.pem"), "{error}");
    assert!(Tls::new(&good, "a b", Oldest::Tls13).is_err());
}
