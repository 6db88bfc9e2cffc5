//! The whole state as bytes and back: for Raft snapshots and for operators' backups.
//!
//! A stream of MessagePack records: a head with the version, then rows in chunks, then an end with their number. The same state gives the same
//! bytes. Whoever stores the stream adds its checksum.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    sync::Arc,
};

use drover_model::{
    allocation::{Allocation, AllocationBatch},
    deployment::Deployment,
    evaluation::Evaluation,
    ids::JobKey,
    job::{Job, JobSubmission, JobSummary, StoredScaling},
    kv::{KvEntry, StoredSecret},
    lean,
    namespace::{Namespace, NodePool},
    node::Node,
    quota::StoredQuota,
    rpc::autopilot::AutopilotConfig,
    service::ServiceRegistration,
    variable::StoredVariable,
    volume::Volume,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{SchedulerConfig, State, TableId};
use crate::identity::{StoredCa, StoredKey};

/// The version that is written. Older ones are read as long as this file knows them.
pub const VERSION: u16 = 4;
const FORMAT: &str = "drover-state";
/// Rows in one record, so that neither side holds the whole stream in memory.
const CHUNK_ROWS: usize = 512;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot encode the state's snapshot: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error("cannot write the state's snapshot: {0}")]
    Write(#[from] std::io::Error),
    #[error("cannot read the state's snapshot (damaged or cut off; restore another one): {0}")]
    Read(#[from] rmp_serde::decode::Error),
    #[error("this is no snapshot of a server's state, but {found:?}")]
    Format { found: String },
    #[error("the snapshot has version {found}, this binary reads up to {VERSION}: use the binary that wrote it or a newer one")]
    Version { found: u16 },
    #[error("the snapshot says {expected} rows but holds {found}: it is damaged, restore another one")]
    Rows { expected: u64, found: u64 },
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    version: u16,
    index: u64,
    tables: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
enum Record {
    JobVersions(Vec<JobVersion>),
    Nodes(Vec<Arc<Node>>),
    Allocations(AllocationBatch),
    Evaluations(Vec<Arc<Evaluation>>),
    Deployments(Vec<Arc<Deployment>>),
    Services(Vec<Arc<ServiceRegistration>>),
    Kv(Vec<Arc<KvEntry>>),
    Secrets(Vec<Arc<StoredSecret>>),
    Variables(Vec<Arc<StoredVariable>>),
    Keys(Vec<Arc<StoredKey>>),
    Ca(Arc<StoredCa>),
    SchedulerConfig(Arc<SchedulerConfig>),
    /// Since version 2, as the next one.
    AutopilotConfig(Arc<AutopilotConfig>),
    StagedPart(StagedPart),
    /// Since version 2.
    Namespaces(Vec<Arc<Namespace>>),
    /// Since version 2.
    NodePools(Vec<Arc<NodePool>>),
    /// Since version 3.
    Quotas(Vec<Arc<StoredQuota>>),
    /// Since version 3.
    Volumes(Vec<Arc<Volume>>),
    /// Since version 4.
    Scaling(Vec<Arc<StoredScaling>>),
    /// After the allocations, because summaries count those that were collected too.
    Summaries(Vec<Arc<JobSummary>>),
    End {
        rows: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct StagedPart {
    id: u64,
    #[serde(with = "drover_model::rpc::as_bytes")]
    data: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct JobVersion {
    job: Arc<Job>,
    current: bool,
    submission: Option<Arc<JobSubmission>>,
}

/// Writes the state.
pub fn encode(state: &State, out: &mut dyn Write) -> Result<(), Error> {
    let head = Head { format: FORMAT.to_owned(), version: VERSION, index: state.index(), tables: state.table_indexes().to_vec() };
    let mut writer = Writer { out, buffer: Vec::new(), rows: 0 };
    writer.write(&head)?;
    let versions = state.job_versions.iter().map(|((key, version), job)| JobVersion {
        job: Arc::clone(job),
        current: state.job(key).is_some_and(|current| current.version == *version),
        submission: state.submission(key, *version).cloned(),
    });
    writer.chunks(versions, Record::JobVersions)?;
    writer.chunks(state.nodes().cloned(), Record::Nodes)?;
    writer.chunks(state.allocations.values().cloned(), |rows: Vec<Arc<Allocation>>| Record::Allocations(rows.iter().collect()))?;
    writer.chunks(state.evaluations.values().cloned(), Record::Evaluations)?;
    writer.chunks(state.deployments.values().cloned(), Record::Deployments)?;
    writer.chunks(state.services.values().cloned(), Record::Services)?;
    writer.chunks(state.kv.values().cloned(), Record::Kv)?;
    writer.chunks(state.secrets.values().cloned(), Record::Secrets)?;
    writer.chunks(state.variables.values().cloned(), Record::Variables)?;
    writer.chunks(state.keys.values().cloned(), Record::Keys)?;
    if let Some(ca) = state.ca() {
        writer.write(&Record::Ca(Arc::clone(ca)))?;
    }
    writer.write(&Record::SchedulerConfig(Arc::clone(state.scheduler_config())))?;
    writer.write(&Record::AutopilotConfig(Arc::clone(state.autopilot_config())))?;
    for (id, part) in state.staged().iter().flat_map(|staged| staged.parts.iter().map(|part| (staged.id, part))) {
        writer.write(&Record::StagedPart(StagedPart { id, data: part.to_vec() }))?;
    }
    writer.chunks(state.namespaces.values().cloned(), Record::Namespaces)?;
    writer.chunks(state.node_pools.values().cloned(), Record::NodePools)?;
    writer.chunks(state.quotas.values().cloned(), Record::Quotas)?;
    writer.chunks(state.volumes.values().cloned(), Record::Volumes)?;
    writer.chunks(state.scaling.values().cloned(), Record::Scaling)?;
    writer.chunks(state.summaries.values().cloned(), Record::Summaries)?;
    let rows = writer.rows;
    writer.write(&Record::End { rows })
}

/// Reads what [`encode`] wrote, into a new state.
pub fn decode(input: &mut dyn Read) -> Result<State, Error> {
    let head: Head = read(input)?;
    if head.format != FORMAT {
        return Err(Error::Format { found: head.format.chars().take(32).collect() });
    }
    if head.version > VERSION {
        return Err(Error::Version { found: head.version });
    }
    let mut state = State::default();
    state.begin(head.index);
    let mut reader = Reader { state, shared: BTreeMap::new(), rows: 0 };
    loop {
        match read(input)? {
            Record::End { rows } if rows == reader.rows => break,
            Record::End { rows } => return Err(Error::Rows { expected: rows, found: reader.rows }),
            record => reader.take(record),
        }
    }
    let mut indexes = [0; TableId::COUNT];
    indexes.iter_mut().zip(&head.tables).for_each(|(index, known)| *index = *known);
    reader.state.restore_indexes(head.index, indexes);
    Ok(reader.state)
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    /// A record, before it is written.
    buffer: Vec<u8>,
    rows: u64,
}

impl Writer<'_> {
    fn write<T: Serialize + DeserializeOwned>(&mut self, record: &T) -> Result<(), Error> {
        self.buffer.clear();
        lean::write(&mut self.buffer, record)?;
        Ok(self.out.write_all(&self.buffer)?)
    }

    fn chunks<T>(&mut self, rows: impl Iterator<Item = T>, record: impl Fn(Vec<T>) -> Record) -> Result<(), Error> {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let chunk: Vec<T> = rows.by_ref().take(CHUNK_ROWS).collect();
            self.rows += chunk.len() as u64;
            self.write(&record(chunk))?;
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(input: &mut dyn Read) -> Result<T, Error> {
    Ok(rmp_serde::from_read(input)?)
}

struct Reader {
    state: State,
    /// Jobs that are known, so that many allocations share one again.
    shared: BTreeMap<(JobKey, u64, u64, u64), Arc<Job>>,
    rows: u64,
}

impl Reader {
    fn take(&mut self, record: Record) {
        let state = &mut self.state;
        let rows = match record {
            Record::JobVersions(rows) => {
                let count = rows.len();
                rows.into_iter().for_each(|row| self.take_version(row));
                count
            }
            Record::Allocations(batch) => {
                let count = batch.len();
                batch.into_allocations().into_iter().for_each(|row| self.take_allocation(row));
                count
            }
            Record::Nodes(rows) => each(rows, |row| state.put_node(Arc::unwrap_or_clone(row))),
            Record::Evaluations(rows) => each(rows, |row| state.put_evaluation(row)),
            Record::Deployments(rows) => each(rows, |row| state.put_deployment(Arc::unwrap_or_clone(row))),
            Record::Services(rows) => each(rows, |row| state.put_service(Arc::unwrap_or_clone(row))),
            Record::Kv(rows) => each(rows, |row| state.put_kv(Arc::unwrap_or_clone(row))),
            Record::Secrets(rows) => each(rows, |row| state.put_secret(Arc::unwrap_or_clone(row))),
            Record::Variables(rows) => each(rows, |row| state.put_variable(Arc::unwrap_or_clone(row))),
            Record::Keys(rows) => each(rows, |row| state.put_key(Arc::unwrap_or_clone(row))),
            Record::Summaries(rows) => each(rows, |row| state.put_summary(Arc::unwrap_or_clone(row))),
            Record::Namespaces(rows) => each(rows, |row| state.put_namespace(Arc::unwrap_or_clone(row))),
            Record::NodePools(rows) => each(rows, |row| state.put_node_pool(Arc::unwrap_or_clone(row))),
            Record::Quotas(rows) => each(rows, |row| state.put_quota(Arc::unwrap_or_clone(row))),
            Record::Volumes(rows) => each(rows, |row| state.put_volume(Arc::unwrap_or_clone(row))),
            Record::Scaling(rows) => each(rows, |row| state.put_scaling(Arc::unwrap_or_clone(row))),
            Record::Ca(ca) => {
                state.put_ca(Arc::unwrap_or_clone(ca));
                0
            }
            Record::SchedulerConfig(config) => {
                state.put_scheduler_config(Arc::unwrap_or_clone(config));
                0
            }
            Record::StagedPart(StagedPart { id, data }) => {
                let mut staged = state.staged().cloned().unwrap_or_default();
                staged.id = id;
                staged.parts.push(Arc::new(data));
                state.put_staged(Some(staged));
                0
            }
            Record::AutopilotConfig(config) => {
                state.put_autopilot_config(Arc::unwrap_or_clone(config));
                0
            }
            Record::End { .. } => 0,
        };
        self.rows += rows as u64;
    }

    fn take_version(&mut self, row: JobVersion) {
        let JobVersion { job, current, submission } = row;
        self.shared.insert(identity(&job), Arc::clone(&job));
        if let Some(submission) = submission {
            self.state.put_submission(job.key(), job.version, Arc::unwrap_or_clone(submission));
        }
        if current { self.state.put_job(job) } else { self.state.put_job_version(job) }
    }

    fn take_allocation(&mut self, mut allocation: Allocation) {
        let known = self.shared.entry(identity(&allocation.job)).or_insert_with(|| Arc::clone(&allocation.job));
        allocation.job = Arc::clone(known);
        self.state.put_allocation(allocation);
    }
}

fn identity(job: &Job) -> (JobKey, u64, u64, u64) {
    (job.key(), job.create_index, job.version, job.modify_index)
}

fn each<T>(rows: Vec<T>, put: impl FnMut(T)) -> usize {
    let count = rows.len();
    rows.into_iter().for_each(put);
    count
}
