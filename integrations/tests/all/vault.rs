//! The Vault client against a server that answers as Vault's documentation says.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use drover_integrations::{
    Error, Tokens, VaultCluster as _,
    tokens::{Login, Proof},
    vault::{LoginMethod, Vault, VaultConfig},
};
use drover_model::secret::SecretText;
use serde_json::{Value, json};

use crate::support::{access, access_with};

/// One call as the server got it: method, path with query, token, namespace, body.
type Seen = (String, String, String, String, Value);

type Answers = fn(&str, &str, &Value) -> (u16, Value);

struct Fake {
    seen: Mutex<Vec<Seen>>,
    answers: Answers,
}

struct Server {
    fake: Arc<Fake>,
    vault: Vault,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(fake): State<Arc<Fake>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let (status, reply) = (fake.answers)(parts.method.as_str(), path.strip_prefix("/v1/").unwrap(), &body);
    fake.seen.lock().unwrap().push((parts.method.to_string(), path, header("x-vault-token"), header("x-vault-namespace"), body));
    let status = StatusCode::from_u16(status).unwrap();
    if reply.is_null() { status.into_response() } else { (status, reply.to_string()).into_response() }
}

async fn server(answers: Answers) -> Server {
    let fake = Arc::new(Fake { seen: Mutex::default(), answers });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&fake));
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let vault = Vault::new(VaultConfig {
        name: "default".into(),
        address,
        namespace: Some("team".into()),
        token: SecretText::new("agent-token"),
        login: LoginMethod { jwt_path: "jwt-nomad".into(), default_role: Some("nomad-workloads".into()) },
        ..VaultConfig::default()
    });
    Server { fake, vault: vault.unwrap(), task }
}

fn login_with(role: &str) -> Login {
    Login { proof: Proof::Jwt(SecretText::new("signed.identity.here")), role: role.into(), ..Login::default() }
}

fn tokens(server: &Server) -> Arc<dyn Tokens> {
    server.vault.tokens().unwrap()
}

fn token_answer() -> Value {
    json!({"request_id": "r", "lease_id": "", "lease_duration": 0, "renewable": false, "data": null, "warnings": null, "wrap_info": null,
        "auth": {"client_token": "s.task", "accessor": "acc", "policies": ["default", "web"], "token_policies": ["default", "web"],
                 "metadata": {"role": "web"}, "lease_duration": 1800, "renewable": true, "entity_id": "e", "token_type": "service", "orphan": true}})
}

#[tokio::test]
async fn a_task_logs_in_with_its_identity() {
    let server =
        server(|_, path, _| if path == "auth/jwt-nomad/login" { (200, token_answer()) } else { (404, json!({"errors": []})) }).await;
    let token = tokens(&server).login(&login_with("web")).await.unwrap();
    assert_eq!(
        (token.text.expose(), token.accessor.as_str(), token.lease.duration.as_secs(), token.lease.renewable),
        ("s.task", "acc", 1800, true)
    );
    assert!(!format!("{token:?}").contains("s.task"));
    tokens(&server).login(&Login { namespace: Some("other".into()), ..login_with("") }).await.unwrap();
    let seen = server.fake.seen.lock().unwrap().clone();
    assert_eq!((seen[0].0.as_str(), seen[0].1.as_str(), seen[0].3.as_str()), ("POST", "/v1/auth/jwt-nomad/login", "team"));
    assert_eq!(seen[0].4, json!({"jwt": "signed.identity.here", "role": "web"}));
    assert_eq!((seen[1].4["role"].as_str(), seen[1].3.as_str()), (Some("nomad-workloads"), "other"));
}

#[tokio::test]
async fn a_refused_login_says_why_and_hides_the_identity() {
    let cases: [(Answers, bool); 4] = [
        (|_, _, _| (400, json!({"errors": ["claim \"aud\" does not match"]})), false),
        (|_, _, _| (403, json!({"errors": ["permission denied"]})), false),
        (|_, _, _| (500, json!({"errors": ["internal error"]})), true),
        (|_, _, _| (503, json!({"errors": ["Vault is sealed"]})), true),
    ];
    for (answers, transient) in cases {
        let server = server(answers).await;
        let error = tokens(&server).login(&login_with("web")).await.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("Vault at 127.0.0.1") && !text.contains("signed.identity"), "{text}");
    }
    let odd = server(|_, _, _| (200, json!({"auth": {"client_token": "s.half"}}))).await;
    let error = tokens(&odd).login(&login_with("web")).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }) && !format!("{error:?}").contains("s.half"), "{error:?}");
}

#[tokio::test]
async fn the_agents_token_has_children_limited_by_role_or_policy() {
    let by_role = server(|_, path, _| if path == "auth/token/create/web" { (200, token_answer()) } else { (500, Value::Null) }).await;
    let login = |policies: &[&str], role: &str| Login {
        proof: Proof::Policies(policies.iter().map(|name| (*name).to_owned()).collect()),
        role: role.into(),
        ..Login::default()
    };
    assert_eq!(tokens(&by_role).login(&login(&[], "web")).await.unwrap().text.expose(), "s.task");
    let no_roles = server(|_, path, _| match path {
        "auth/token/create" => (200, token_answer()),
        _ => (404, json!({"errors": []})),
    })
    .await;
    for (policies, role, sent) in [(&["a", "b"] as &[&str], "web", json!(["a", "b"])), (&[], "web", json!(["web"]))] {
        tokens(&no_roles).login(&login(policies, role)).await.unwrap();
        let seen = no_roles.fake.seen.lock().unwrap().last().cloned().unwrap();
        assert_eq!((seen.1.as_str(), seen.2.as_str(), &seen.4["policies"]), ("/v1/auth/token/create", "agent-token", &sent));
    }
}

#[tokio::test]
async fn tokens_are_renewed_and_revoked_by_whichever_call_the_server_has() {
    let renewed = || json!({"auth": {"client_token": "s.task", "lease_duration": 900, "renewable": true}});
    assert!(renewed().is_object());
    let full = server(|_, path, _| match path {
        "auth/token/renew-self" => (200, json!({"auth": {"client_token": "s.task", "lease_duration": 900, "renewable": true}})),
        "auth/token/revoke-self" => (204, Value::Null),
        "auth/token/lookup-self" => {
            (200, json!({"data": {"accessor": "acc", "policies": ["web"], "ttl": 77, "renewable": true, "entity_id": ""}}))
        }
        _ => (404, Value::Null),
    })
    .await;
    let token = SecretText::new("s.task");
    assert_eq!(tokens(&full).renew(&token).await.unwrap().duration.as_secs(), 900);
    let info = tokens(&full).lookup(&token).await.unwrap();
    assert_eq!((info.ttl.as_secs(), info.renewable, info.accessor.as_str()), (77, true, "acc"));
    tokens(&full).revoke(&token).await.unwrap();
    assert!(full.fake.seen.lock().unwrap().iter().all(|seen| seen.2 == "s.task"), "each call is the token's own");

    let old = server(|_, path, _| match path {
        "auth/token/renew/s.task" => (200, json!({"auth": {"client_token": "s.task", "lease_duration": 60, "renewable": true}})),
        "auth/token/revoke/s.task" => (204, Value::Null),
        _ => (500, json!({"error": "Logical backend path not supported."})),
    })
    .await;
    assert_eq!(tokens(&old).renew(&token).await.unwrap().duration.as_secs(), 60);
    tokens(&old).revoke(&token).await.unwrap();

    let none = server(|_, _, _| (500, json!({"error": "Logical backend operation not supported."}))).await;
    let error = tokens(&none).renew(&token).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }) && !error.to_string().contains("s.task"), "{error}");
    let gone = server(|_, _, _| (403, json!({"errors": ["permission denied"]}))).await;
    tokens(&gone).revoke(&token).await.unwrap();
    assert!(tokens(&gone).renew(&token).await.unwrap_err().is_forbidden());
}

/// A mount `secret/` with versions, one `old/` without.
fn mounts(path: &str) -> Option<(u16, Value)> {
    let rest = path.strip_prefix("sys/internal/ui/mounts/")?;
    let (mount, version) = if rest.starts_with("secret/") { ("secret/", "2") } else { ("old/", "1") };
    Some((200, json!({"data": {"path": mount, "type": "kv", "options": {"version": version}}})))
}

#[tokio::test]
async fn secrets_of_either_version_are_read_the_same_way() {
    let server = server(|method, path, _| {
        if let Some(mount) = mounts(path) {
            return mount;
        }
        match (method, path) {
            ("GET", "secret/data/shop/config") => (200, json!({"data": {"data": {"password": "new"}, "metadata": {"version": 2}}})),
            ("GET", "secret/data/shop/config?version=1") => {
                (200, json!({"data": {"data": {"password": "old"}, "metadata": {"version": 1}}}))
            }
            ("GET", "secret/data/gone") => (404, json!({"data": {"data": null, "metadata": {"deletion_time": "2026-01-01T00:00:00Z"}}})),
            ("GET", "old/shop/config") => (200, json!({"lease_duration": 3600, "data": {"password": "plain"}})),
            ("GET", "old/denied") => (403, json!({"errors": ["1 error occurred:\n\t* permission denied\n\n"]})),
            ("LIST", "secret/metadata/shop") => (200, json!({"data": {"keys": ["z", "config", "more/"]}})),
            _ => (404, json!({"errors": []})),
        }
    })
    .await;
    let secrets = server.vault.secrets(&access_with(&SecretText::new("s.task")));
    let password = |secret: Option<drover_integrations::Secret>| secret.unwrap().data["data"]["password"].as_str().unwrap().to_owned();
    for (path, version, text) in [
        ("secret/data/shop/config", None, "new"),
        ("secret/shop/config", None, "new"),
        ("/secret/data/shop/config/", Some(1), "old"),
        ("old/data/shop/config", None, "plain"),
    ] {
        assert_eq!(password(secrets.read(path, version).await.unwrap()), text, "{path}");
    }
    assert_eq!(secrets.read("old/shop/config", None).await.unwrap().unwrap().text("password"), "plain");
    for missing in ["secret/data/gone", "secret/nothing", "old/nothing", "old/data/nothing"] {
        assert!(secrets.read(missing, None).await.unwrap().is_none(), "{missing}");
    }
    let error = secrets.read("old/denied", None).await.unwrap_err();
    assert!(error.is_forbidden() && error.to_string().contains("permission denied"), "{error}");
    assert_eq!(secrets.list("secret/shop").await.unwrap(), ["config", "more/", "z"]);
    assert!(secrets.list("secret/nothing").await.unwrap().is_empty());
    let seen = server.fake.seen.lock().unwrap().clone();
    assert!(seen.iter().all(|seen| seen.2 == "s.task" && seen.3 == "team"));
    let asked = seen.iter().filter(|seen| seen.1.contains("sys/internal")).count();
    assert!(asked <= 2, "what a mount is, is asked once each: {asked}");
}

#[tokio::test]
async fn leases_and_writes_go_through() {
    let server = server(|method, path, body| {
        if let Some(mount) = mounts(path) {
            return mount;
        }
        match (method, path) {
            ("PUT", "sys/leases/renew") => {
                (200, json!({"lease_id": body["lease_id"], "lease_duration": body["increment"], "renewable": true}))
            }
            ("PUT", "old/creds/web") => {
                (200, json!({"lease_id": "old/creds/web/1", "lease_duration": 60, "renewable": true, "data": {"user": "u"}}))
            }
            ("PUT", "secret/data/x") => (200, json!({"data": {"version": 1, "echo": body}})),
            _ => (204, Value::Null),
        }
    })
    .await;
    let secrets = server.vault.secrets(&access());
    let created = secrets.write("old/creds/web", &[("ttl".to_owned(), "1m".to_owned())].into()).await.unwrap().unwrap();
    assert_eq!((created.lease_id.as_str(), created.lease.duration.as_secs(), created.text("user")), ("old/creds/web/1", 60, "u"));
    assert_eq!(secrets.renew(&created.lease_id, std::time::Duration::from_secs(90)).await.unwrap().duration.as_secs(), 90);
    secrets.revoke(&created.lease_id).await.unwrap();
    let versioned = secrets.write("secret/x", &[("a".to_owned(), "b".to_owned())].into()).await.unwrap().unwrap();
    assert_eq!(versioned.data["echo"], json!({"data": {"a": "b"}}));
    assert!(secrets.write("old/x", &Default::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_sealed_vault_is_told_apart() {
    let server = server(|_, path, _| match path.split('?').next().unwrap() {
        "sys/health" => (200, json!({"sealed": true, "version": "1.17.2", "cluster_name": "c"})),
        _ => (503, json!({"errors": ["Vault is sealed"]})),
    })
    .await;
    assert!(matches!(server.vault.secrets(&access()).read("secret/data/x", None).await, Err(Error::Sealed { .. })));
    let status = server.vault.status().await.unwrap();
    assert_eq!((status.sealed, status.version.as_str()), (true, "1.17.2"));
}
