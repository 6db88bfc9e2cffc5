//! Which family a path belongs to.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use drover_model::rpc::Error;
use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Response, StatusCode, header};

use super::{
    agent, allocations, ca,
    call::Call,
    client, deployments, evaluations, events, job, jobs, kv, metrics, namespaces, nodes, operator, quotas,
    reply::{Outcome, error_reply, finish, nowhere},
    scaling, search, secret, services, status, variables, volumes, well_known,
};

/// Answers a request, whatever happens.
pub(super) async fn answer(call: Call) -> Response<Body> {
    let api = std::sync::Arc::clone(&call.api);
    let (method, path) = (call.method.clone(), call.path.clone());
    let outcome = AssertUnwindSafe(async move { route(call).await }).catch_unwind().await;
    let mut response = match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            if error.status >= 500 {
                tracing::debug!(%method, path, status = error.status, error = %error, "request failed");
            }
            error_reply(&error)
        }
        Err(_) => {
            tracing::error!(%method, path, "a request met a bug; the agent goes on");
            error_reply(&Error::internal("internal error: see the agent's log"))
        }
    };
    finish(&mut response, api.extra_headers());
    response
}

/// Finds the family of a path. What comes after the family's name stays escaped.
fn route(call: Call) -> BoxFuture<'static, Outcome> {
    let path = call.path.clone();
    let Some(rest) = path.strip_prefix("/v1/") else { return outside(call, &path) };
    let (family, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let rest = rest.to_owned();
    match family {
        "jobs" => Box::pin(jobs::route(call, rest)),
        "job" => Box::pin(job::route(call, rest)),
        "validate" => Box::pin(jobs::validate(call, rest)),
        "allocations" => Box::pin(allocations::list(call, rest)),
        "allocation" => Box::pin(allocations::one(call, rest)),
        "evaluations" => Box::pin(evaluations::list(call, rest)),
        "evaluation" => Box::pin(evaluations::one(call, rest)),
        "deployments" => Box::pin(deployments::list(call, rest)),
        "deployment" => Box::pin(deployments::one(call, rest)),
        "client" => Box::pin(client::route(call, rest)),
        "nodes" => Box::pin(nodes::list(call, rest)),
        "node" => Box::pin(nodes::one(call, rest)),
        "namespaces" => Box::pin(namespaces::list(call, rest)),
        "namespace" => Box::pin(namespaces::one(call, rest)),
        "volumes" => Box::pin(volumes::list(call, rest)),
        "volume" => Box::pin(volumes::one(call, rest)),
        "quotas" => Box::pin(quotas::list(call, rest)),
        "quota-usages" => Box::pin(quotas::usages(call, rest)),
        "quota" => Box::pin(quotas::one(call, rest)),
        "services" => Box::pin(services::list(call, rest)),
        "service" => Box::pin(services::one(call, rest)),
        "kv" => Box::pin(kv::route(call, rest)),
        "secrets" => Box::pin(secret::list(call, rest)),
        "secret" => Box::pin(secret::one(call, rest)),
        "vars" => Box::pin(variables::list(call, rest)),
        "var" => Box::pin(variables::one(call, rest)),
        "ca" => Box::pin(ca::route(call, rest)),
        "scaling" => Box::pin(scaling::route(call, rest)),
        "search" => Box::pin(search::route(call, rest)),
        "agent" => Box::pin(agent::route(call, rest)),
        "status" => Box::pin(status::route(call, rest)),
        "regions" => Box::pin(status::regions(call)),
        "operator" => Box::pin(operator::route(call, rest)),
        "system" => Box::pin(operator::system(call, rest)),
        "metrics" => Box::pin(metrics::route(call)),
        "event" => Box::pin(events::route(call, rest)),
        "acl" => refuse(Error::bad_request("ACL support disabled")),
        _ => Box::pin(std::future::ready(nowhere())),
    }
}

fn refuse(error: Error) -> BoxFuture<'static, Outcome> {
    Box::pin(std::future::ready(Err(error)))
}

fn outside(call: Call, path: &str) -> BoxFuture<'static, Outcome> {
    match path {
        "/" => {
            let mut response = Response::new(Body::from("<a href=\"/ui/\">Temporary Redirect</a>.\n\n"));
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/ui/"));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            Box::pin(std::future::ready(Ok(response)))
        }
        "/.well-known/jwks.json" => Box::pin(well_known::keys(call)),
        "/.well-known/openid-configuration" => Box::pin(well_known::openid(call)),
        _ => Box::pin(std::future::ready(nowhere())),
    }
}
