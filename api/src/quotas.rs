//! `/v1/quota...`.

use drover_model::quota::{QuotaSpec, QuotaUsage};
use serde_json::Value;

use crate::client::{Answer, Client, Error, segment};

impl Client {
    pub async fn quotas(&self) -> Result<Answer<Vec<QuotaSpec>>, Error> {
        self.get("/v1/quotas", &[]).await
    }

    pub async fn quota(&self, name: &str) -> Result<Answer<QuotaSpec>, Error> {
        self.get(&format!("/v1/quota/{}", segment(name)), &[]).await
    }

    /// What is in use of a quota.
    pub async fn quota_usage(&self, name: &str) -> Result<Answer<QuotaUsage>, Error> {
        self.get(&format!("/v1/quota/usage/{}", segment(name)), &[]).await
    }

    /// Makes a quota, or changes one.
    pub async fn put_quota(&self, quota: &QuotaSpec) -> Result<Answer<Value>, Error> {
        self.put("/v1/quota", &[], quota).await
    }

    pub async fn delete_quota(&self, name: &str) -> Result<Answer<Value>, Error> {
        self.delete(&format!("/v1/quota/{}", segment(name)), &[]).await
    }
}
