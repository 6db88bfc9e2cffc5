//! Many allocations on the wire or in the log, each job written once.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Allocation;
use crate::{ids::JobKey, job::Job};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AllocationBatch {
    jobs: Vec<Arc<Job>>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    /// Which of the batch's jobs.
    job: u32,
    allocation: Allocation,
}

impl AllocationBatch {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The allocations, each with its job. A row that names no job of the batch keeps the placeholder. Neighbours that are alike in something share it, as they did
    /// before they were written down: of the allocations of one group little is each one's own.
    pub fn into_allocations(self) -> Vec<Allocation> {
        let Self { jobs, rows } = self;
        let mut allocations: Vec<Allocation> = Vec::with_capacity(rows.len());
        for Row { job, mut allocation } in rows {
            if let Some(job) = usize::try_from(job).ok().and_then(|index| jobs.get(index)) {
                allocation.job = Arc::clone(job);
            }
            if let Some(before) = allocations.last() {
                allocation.share_with(before);
            }
            allocations.push(allocation);
        }
        allocations
    }
}

impl Allocation {
    fn share_with(&mut self, other: &Self) {
        share(&mut self.namespace, &other.namespace);
        share(&mut self.job_id, &other.job_id);
        share(&mut self.task_group, &other.task_group);
        share(&mut self.desired_description, &other.desired_description);
        share(&mut self.client_description, &other.client_description);
        share(&mut self.resources, &other.resources);
        share(&mut self.metrics, &other.metrics);
    }
}

fn share<T: PartialEq + ?Sized>(own: &mut Arc<T>, other: &Arc<T>) {
    if !Arc::ptr_eq(own, other) && **own == **other {
        *own = Arc::clone(other);
    }
}

impl<A: AsRef<Allocation>> FromIterator<A> for AllocationBatch {
    fn from_iter<I: IntoIterator<Item = A>>(allocations: I) -> Self {
        let mut batch = Self::default();
        // Versions alone do not tell two jobs apart that were purged and registered again, so the creation counts too.
        let mut known: BTreeMap<(JobKey, u64, u64, u64), u32> = BTreeMap::new();
        let placeholder = Job::placeholder();
        for allocation in allocations {
            let allocation = allocation.as_ref();
            let job = &allocation.job;
            let next = u32::try_from(batch.jobs.len()).unwrap_or(u32::MAX);
            let index = *known.entry((job.key(), job.create_index, job.version, job.modify_index)).or_insert_with(|| {
                batch.jobs.push(Arc::clone(job));
                next
            });
            batch.rows.push(Row { job: index, allocation: Allocation { job: Arc::clone(&placeholder), ..allocation.clone() } });
        }
        batch
    }
}

impl AsRef<Allocation> for Allocation {
    fn as_ref(&self) -> &Allocation {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_travel_once_and_come_back() {
        let job = |version| Arc::new(Job { id: "web".into(), version, ..Job::default() });
        let (old, new) = (job(0), job(1));
        let make = |job: &Arc<Job>| Allocation { job: Arc::clone(job), job_id: job.id.clone(), ..Allocation::default() };
        let allocations = vec![make(&old), make(&new), make(&old)];
        let batch: AllocationBatch = allocations.iter().collect();
        assert_eq!((batch.jobs.len(), batch.len()), (2, 3));
        let text = serde_json::to_string(&batch).unwrap();
        let read: AllocationBatch = serde_json::from_str(&text).unwrap();
        assert_eq!(read.into_allocations(), allocations);
    }
}
