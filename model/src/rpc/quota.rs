//! Quotas.

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions, job::Written};
use crate::{
    method,
    quota::{QuotaSpec, QuotaUsage},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaList {
    pub options: ReadOptions,
}
method!(QuotaList, "quotas.list", Read<Vec<QuotaSpec>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaGet {
    pub options: ReadOptions,
    pub name: String,
}
method!(QuotaGet, "quotas.get", Read<Option<QuotaSpec>>);

/// Makes a quota, or changes one. What runs already goes on, also beyond the new limits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaPut {
    pub quota: QuotaSpec,
}
method!(QuotaPut, "quotas.put", Written);

/// Removes a quota that no namespace names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaDelete {
    pub name: String,
}
method!(QuotaDelete, "quotas.delete", Written);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaUsageList {
    pub options: ReadOptions,
}
method!(QuotaUsageList, "quotas.usages", Read<Vec<QuotaUsage>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaUsageGet {
    pub options: ReadOptions,
    pub name: String,
}
method!(QuotaUsageGet, "quotas.usage", Read<Option<QuotaUsage>>);
