use std::{sync::Arc, time::Duration};

use drover_model::{
    allocation::Allocation,
    job::{ConsulUse, Job, Service, Task, TaskGroup, VaultUse, WorkloadIdentity},
    rpc::node::IdentityRequest,
    time::UnixNanos,
};
use drover_runtime::OsRandom;
use serde_json::json;

use super::{
    Algorithm, Claims, StoredKey,
    claims::{self, Audience, Issue},
    document,
    sign::{self, SignError},
};

const NOW: i64 = 1_795_212_493;

fn issue() -> Issue<'static> {
    Issue { region: "global", issuer: None, now: UnixNanos(NOW * 1_000_000_000), jti: [7; 16], node: None }
}

fn allocation() -> Allocation {
    let identity = WorkloadIdentity {
        name: "aws".into(),
        audience: vec!["sts".to_owned()].into(),
        ttl: Duration::from_secs(600),
        extra_claims: [("team".to_owned(), "web".to_owned()), ("sub".to_owned(), "root".to_owned())].into_iter().collect(),
        ..WorkloadIdentity::default()
    };
    let task = Task {
        name: "app".into(),
        identity: Some(WorkloadIdentity::default_identity()),
        identities: vec![identity].into(),
        vault: Some(VaultUse { role: "web".into(), ..VaultUse::default() }),
        ..Task::default()
    };
    let group = TaskGroup { name: "web".into(), tasks: vec![task].into(), ..TaskGroup::default() };
    let job = Job { id: "shop".into(), namespace: "default".into(), task_groups: vec![group].into(), ..(*Job::placeholder()).clone() };
    Allocation {
        id: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        task_group: "web".into(),
        job: Arc::new(job),
        ..Allocation::default()
    }
}

fn request(task: &str, identity: &str) -> IdentityRequest {
    IdentityRequest {
        service: String::new(),
        alloc_id: allocation().id,
        task: task.into(),
        identity: identity.into(),
        audience: vec!["vault.io".into()],
        ttl: Duration::from_secs(3600),
    }
}

#[test]
fn claims_say_who_a_task_is() {
    let claims = claims::claims(&allocation(), &request("app", "vault_default"), issue()).unwrap();
    assert_eq!(
        serde_json::to_value(&claims).unwrap(),
        json!({
            "sub": "global:default:shop:web:app:vault_default", "aud": "vault.io", "iat": NOW, "nbf": NOW - 60, "exp": NOW + 3600,
            "jti": "07070707-0707-4707-8707-070707070707", "nomad_namespace": "default", "nomad_job_id": "shop",
            "nomad_allocation_id": "11111111-2222-3333-4444-555555555555", "nomad_task": "app", "vault_role": "web"
        })
    );
}

#[test]
fn the_job_decides_before_the_request() {
    let claims = claims::claims(&allocation(), &request("app", "aws"), issue()).unwrap();
    assert_eq!((claims.aud, claims.exp), (Audience::One("sts".into()), Some(NOW + 600)));
    assert_eq!(serde_json::Value::Object(claims.extra), json!({"team": "web"}), "a job cannot say that it is somebody else");
    let default = claims::claims(&allocation(), &request("app", "default"), issue()).unwrap();
    assert_eq!(default.aud, Audience::One("nomadproject.io".into()));
}

#[test]
fn a_service_is_who_the_job_says() {
    let mut allocation = allocation();
    let named =
        WorkloadIdentity { name: "consul-service_web".into(), audience: vec!["job".to_owned()].into(), ..WorkloadIdentity::default() };
    let service = |name: &str, identity| Service { name: name.into(), identity, ..Service::default() };
    let mut job = Job::clone(&allocation.job);
    job.task_groups.0[0].consul = Some(ConsulUse { namespace: "team".into(), ..ConsulUse::default() });
    job.task_groups.0[0].services = vec![service("web", Some(named)), service("plain", None)].into();
    allocation.job = Arc::new(job);
    for (name, identity, want) in [("web", "consul-service_web", "job"), ("plain", "consul-service_plain", "vault.io")] {
        let request = IdentityRequest { service: name.into(), ..request("", identity) };
        let claims = claims::claims(&allocation, &request, issue()).unwrap();
        assert_eq!((claims.nomad_service.as_deref(), claims.nomad_task.as_deref()), (Some(name), None));
        assert_eq!(claims.consul_namespace.as_deref(), Some("team"), "the group's");
        assert_eq!((claims.aud, claims.sub), (Audience::One(want.into()), format!("global:default:shop:web:{name}:{identity}")));
    }
    let other = IdentityRequest { service: "bank".into(), ..request("", "consul-service_bank") };
    let refusal = claims::claims(&allocation, &other, issue()).unwrap_err();
    assert!(refusal.contains("no service \"bank\""), "{refusal}");
}

/// The catalogue lets a service register under the name that its identity states: both have to be the same.
#[test]
fn a_service_is_called_what_it_is_registered_as() {
    let mut node = drover_model::node::Node { name: "n1".into(), datacenter: "dc7".into(), ..drover_model::node::Node::default() };
    node.attributes.insert("kernel.name".to_owned(), "linux".to_owned());
    node.meta.insert("rack".to_owned(), "r2".to_owned());
    let issue = Issue { node: Some(&node), ..issue() };
    for (name, want) in [
        ("plain", "plain"),
        ("${node.datacenter}-web-${ node.unique.name }", "dc7-web-n1"),
        ("${meta.rack}-${attr.kernel.name}${attr.none}", "r2-linux"),
        ("web-${NOMAD_ALLOC_INDEX}-${NOMAD_DC}-${NOMAD_REGION}", "web-3-dc7-global"),
        ("${NOMAD_JOB_NAME}-${NOMAD_GROUP_NAME}-${NOMAD_NAMESPACE}", "the shop-web-default"),
        ("${NOMAD_META_team}-${NOMAD_META_TEAM}-${env[\"NOMAD_JOB_ID\"]}", "red-red-shop"),
        ("${NOMAD_SHORT_ALLOC_ID}${NOMAD_NOTHING}", "11111111"),
        ("${SHELL}-${unclosed", "${SHELL}-${unclosed"),
    ] {
        let mut allocation = Allocation { name: "shop.web[3]".into(), ..allocation() };
        let mut job = Job { name: "the shop".to_owned(), ..Job::clone(&allocation.job) };
        job.meta.insert("team".to_owned(), "red".to_owned());
        job.task_groups.0[0].services = vec![Service { name: name.into(), ..Service::default() }].into();
        (allocation.job, allocation.namespace) = (Arc::new(job), "default".into());
        let request = IdentityRequest { service: name.into(), ..request("", "consul-service_x") };
        let claims = claims::claims(&allocation, &request, issue).unwrap();
        assert_eq!(claims.nomad_service.as_deref(), Some(want), "{name}");
        assert_eq!(claims.sub, format!("global:default:shop:web:{want}:consul-service_x"));
    }
}

#[test]
fn what_the_allocation_does_not_have_is_refused() {
    let refusal = claims::claims(&allocation(), &request("db", "default"), issue()).unwrap_err();
    assert!(refusal.contains("no task \"db\""), "{refusal}");
}

#[test]
fn both_algorithms_sign_what_their_public_keys_verify() {
    let claims = claims::claims(&allocation(), &request("app", "vault_default"), issue()).unwrap();
    for algorithm in [Algorithm::EdDsa, Algorithm::Rs256] {
        let key = Arc::new(StoredKey::generate(algorithm, &OsRandom, UnixNanos::NEVER).unwrap());
        let other = Arc::new(StoredKey::generate(Algorithm::EdDsa, &OsRandom, UnixNanos::NEVER).unwrap());
        let jwt = sign::sign(&key, &claims).unwrap();
        let keys = [Arc::clone(&other), Arc::clone(&key)];
        assert_eq!(sign::verify(&keys, &jwt, NOW).unwrap(), claims);
        assert_eq!(sign::verify(&keys, &jwt, NOW + 3600), Err(SignError::Invalid), "expired");
        assert_eq!(sign::verify(&keys, &jwt, NOW - 61), Err(SignError::Invalid), "not yet");
        assert_eq!(sign::verify(&keys[..1], &jwt, NOW), Err(SignError::Invalid), "not our key");
        let mut parts: Vec<String> = jwt.expose().split('.').map(str::to_owned).collect();
        parts[1] =
            base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, serde_json::to_vec(&Claims::default()).unwrap());
        assert_eq!(sign::verify(&keys, &parts.join(".").into(), NOW), Err(SignError::Invalid), "changed");
    }
}

#[test]
fn the_jwks_is_what_a_verifier_needs_and_no_more() {
    for (algorithm, kty, alg, parts) in
        [(Algorithm::Rs256, "RSA", "RS256", &["e", "n"] as &[&str]), (Algorithm::EdDsa, "OKP", "EdDSA", &["crv", "x"])]
    {
        let key = Arc::new(StoredKey::generate(algorithm, &OsRandom, UnixNanos::NEVER).unwrap());
        let document = serde_json::to_value(document::jwks([&key])).unwrap();
        let jwk = document["keys"][0].as_object().unwrap();
        assert_eq!((jwk["kty"].as_str(), jwk["alg"].as_str(), jwk["use"].as_str()), (Some(kty), Some(alg), Some("sig")));
        assert_eq!(jwk["kid"], key.id.to_string());
        let mut names: Vec<&str> = jwk.keys().map(String::as_str).filter(|name| !["kty", "alg", "use", "kid"].contains(name)).collect();
        names.sort_unstable();
        assert_eq!(names, parts);
        // A verifier that has nothing but this document accepts what the key signs.
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(document).unwrap();
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&set.keys[0]).unwrap();
        let mut validation =
            jsonwebtoken::Validation::new(if kty == "RSA" { jsonwebtoken::Algorithm::RS256 } else { jsonwebtoken::Algorithm::EdDSA });
        validation.validate_exp = false;
        validation.set_audience(&["vault.io"]);
        let claims = claims::claims(&allocation(), &request("app", "vault_default"), issue()).unwrap();
        let jwt = sign::sign(&key, &claims).unwrap();
        assert_eq!(jsonwebtoken::decode::<Claims>(jwt.expose(), &decoding, &validation).unwrap().claims, claims);
    }
}

#[test]
fn the_newest_active_key_signs() {
    let mut keys: Vec<StoredKey> = (0..3).map(|_| StoredKey::generate(Algorithm::EdDsa, &OsRandom, UnixNanos::NEVER).unwrap()).collect();
    for (index, key) in keys.iter_mut().enumerate() {
        key.create_time = UnixNanos(index as i64);
    }
    keys[2].state = super::KeyState::Inactive;
    let keys: Vec<Arc<StoredKey>> = keys.into_iter().map(Arc::new).collect();
    assert_eq!(sign::active_key(&keys).unwrap().id, keys[1].id);
    assert!(sign::active_key(&keys[2..]).is_none());
}

#[test]
fn the_openid_document_points_at_the_keys() {
    let document = serde_json::to_value(document::openid_configuration("https://drover.example.org/", Algorithm::Rs256)).unwrap();
    assert_eq!(
        document,
        json!({
            "issuer": "https://drover.example.org/", "jwks_uri": "https://drover.example.org/.well-known/jwks.json",
            "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]
        })
    );
}
