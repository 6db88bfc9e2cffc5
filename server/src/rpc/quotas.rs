//! Quotas and what is used of them.

use std::collections::BTreeMap;

use drover_model::{
    quota::{QuotaLimit, QuotaSpec, QuotaUsage, StoredQuota},
    rpc::{
        Error,
        job::Written,
        quota::{QuotaDelete, QuotaGet, QuotaList, QuotaPut, QuotaUsageGet, QuotaUsageList},
    },
};

use super::{
    Desk, Found,
    namespaces::{hash, written},
};
use crate::{fsm::command::Command, state::State};

pub(super) fn list(state: &State, message: &QuotaList) -> Result<Found<Vec<QuotaSpec>>, Error> {
    Ok(Found::new(with_prefix(state, &message.options.prefix).map(|quota| quota.spec.clone()).collect()))
}

pub(super) fn get(state: &State, message: &QuotaGet) -> Result<Found<Option<QuotaSpec>>, Error> {
    Ok(Found::new(state.quota(&message.name).map(|quota| quota.spec.clone())))
}

pub(super) fn usages(state: &State, message: &QuotaUsageList) -> Result<Found<Vec<QuotaUsage>>, Error> {
    Ok(Found::new(with_prefix(state, &message.options.prefix).map(|quota| usage_of(state, quota)).collect()))
}

pub(super) fn usage(state: &State, message: &QuotaUsageGet) -> Result<Found<Option<QuotaUsage>>, Error> {
    Ok(Found::new(state.quota(&message.name).map(|quota| usage_of(state, quota))))
}

fn with_prefix<'a>(state: &'a State, prefix: &'a str) -> impl Iterator<Item = &'a StoredQuota> {
    state.quotas().map(|quota| &**quota).filter(move |quota| quota.spec.name.starts_with(prefix))
}

/// Other regions count for themselves: of them nothing is known here.
fn usage_of(state: &State, quota: &StoredQuota) -> QuotaUsage {
    let QuotaSpec { name, create_index, modify_index, .. } = &quota.spec;
    let mut used = BTreeMap::new();
    if let Some(limit) = quota.limit() {
        let region_limit = limit.region_limit.as_ref().map(|limit| state.quota_use(name).shown(limit));
        let mib = state.variables_under(name).div_ceil(1 << 20);
        let variables_limit = Some(i64::try_from(mib).unwrap_or(i64::MAX));
        used.insert(limit.hash.clone(), QuotaLimit { region_limit, variables_limit, ..limit.clone() });
    }
    QuotaUsage { name: name.clone(), used, create_index: *create_index, modify_index: *modify_index }
}

pub(super) async fn put(desk: Desk<'_>, message: QuotaPut) -> Result<Written, Error> {
    let mut spec = message.quota;
    spec.check().map_err(Error::bad_request)?;
    (spec.create_index, spec.modify_index, spec.hash) = (0, 0, String::new());
    for limit in &mut spec.limits.0 {
        limit.hash = String::new();
        limit.hash = hash(limit)?;
    }
    spec.hash = hash(&spec)?;
    let quota = Box::new(StoredQuota { spec, region: desk.region.to_owned() });
    written(desk, Command::QuotaPut { quota }).await
}

pub(super) async fn delete(desk: Desk<'_>, message: QuotaDelete) -> Result<Written, Error> {
    written(desk, Command::QuotaDelete { name: message.name }).await
}
