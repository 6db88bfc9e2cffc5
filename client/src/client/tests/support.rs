//! A cluster of one client and of servers that remember.

use super::*;

/// What was told to the servers, and what they tell.
#[derive(Debug)]
pub(super) struct FakeServers {
    pub(super) seen: watch::Sender<Seen>,
    items: Mutex<Vec<mpsc::Sender<NodeAllocationsItem>>>,
    wanted: Mutex<BTreeMap<AllocId, Allocation>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) registrations: usize,
    pub(super) heartbeats: usize,
    pub(super) reports: BTreeMap<AllocId, AllocationReport>,
    /// Every state of every task, each once, in order: `TASK/EVENT`.
    pub(super) services: BTreeMap<String, ServiceRegistration>,
    pub(super) removed: Vec<String>,
    /// The node is not known: heartbeats are refused.
    pub(super) forgotten: bool,
    /// What the last stream was not to be older than.
    pub(super) min_index: u64,
}

impl FakeServers {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { seen: watch::channel(Seen::default()).0, items: Mutex::default(), wanted: Mutex::default() })
    }

    /// Places or changes an allocation.
    pub(super) async fn place(&self, allocation: Allocation) {
        self.wanted.lock().unwrap().insert(allocation.id, allocation.clone());
        let batch: AllocationBatch = [allocation].iter().collect();
        self.push(NodeAllocationsItem { allocations: batch, ..NodeAllocationsItem::default() }).await;
    }

    pub(super) async fn change(&self, id: AllocId, change: impl FnOnce(&mut Allocation)) {
        let mut allocation = self.wanted.lock().unwrap()[&id].clone();
        change(&mut allocation);
        allocation.alloc_modify_index += 1;
        self.place(allocation).await;
    }

    pub(super) async fn stop(&self, id: AllocId) {
        self.change(id, |allocation| allocation.desired_status = DesiredStatus::Stop).await;
    }

    pub(super) async fn forget(&self, id: AllocId) {
        self.wanted.lock().unwrap().remove(&id);
        self.push(NodeAllocationsItem { removed: vec![id], ..NodeAllocationsItem::default() }).await;
    }

    async fn push(&self, item: NodeAllocationsItem) {
        let streams = self.items.lock().unwrap().clone();
        for stream in streams {
            let _ = stream.send(item.clone()).await;
        }
    }

    /// Waits until what was seen is so.
    pub(super) async fn until(&self, what: &str, is: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(60), seen.wait_for(|seen| is(seen))).await;
        match waited {
            Ok(seen) => seen.unwrap().clone(),
            Err(_) => panic!("not seen: {what}; last: {:#?}", self.seen.borrow()),
        }
    }

    pub(super) async fn until_status(&self, id: AllocId, status: ClientStatus) -> AllocationReport {
        let seen = self
            .until(&format!("{id} {status:?}"), |seen| seen.reports.get(&id).is_some_and(|report| report.client_status == status))
            .await;
        seen.reports[&id].clone()
    }

    pub(super) async fn until_task(&self, id: AllocId, task: &str, is: impl Fn(&TaskState) -> bool) -> TaskState {
        let found = |seen: &Seen| seen.reports.get(&id).and_then(|report| report.task_states.get(task)).cloned();
        let seen = self.until(&format!("{task} of {id}"), |seen| found(seen).is_some_and(|state| is(&state))).await;
        found(&seen).unwrap()
    }
}

impl Servers for FakeServers {
    fn register(&self, _: NodeRegister) -> Reply<'_, NodeWelcome> {
        self.seen.send_modify(|seen| {
            seen.registrations += 1;
            seen.forgotten = false;
        });
        let welcome = NodeWelcome { heartbeat_ttl: Duration::from_secs(10), ..NodeWelcome::default() };
        std::future::ready(Ok(welcome)).boxed()
    }

    fn heartbeat(&self, _: NodeHeartbeat) -> Reply<'_, NodeWelcome> {
        if self.seen.borrow().forgotten {
            return std::future::ready(Err(rpc::Error::not_found("node not found"))).boxed();
        }
        self.seen.send_modify(|seen| seen.heartbeats += 1);
        let welcome = NodeWelcome { heartbeat_ttl: Duration::from_secs(10), ..NodeWelcome::default() };
        std::future::ready(Ok(welcome)).boxed()
    }

    fn report(&self, request: NodeReport) -> Reply<'_, NodeReportReply> {
        self.seen.send_modify(|seen| seen.reports.extend(request.allocations.into_iter().map(|report| (report.id.unwrap(), report))));
        std::future::ready(Ok(NodeReportReply::default())).boxed()
    }

    fn sign(&self, _: SignIdentities) -> Reply<'_, SignedIdentities> {
        std::future::ready(Ok(SignedIdentities::default())).boxed()
    }

    fn upsert_services(&self, request: ServicesUpsert) -> Reply<'_, NodeReportReply> {
        self.seen.send_modify(|seen| seen.services.extend(request.services.into_iter().map(|service| (service.id.clone(), service))));
        std::future::ready(Ok(NodeReportReply::default())).boxed()
    }

    fn remove_services(&self, request: ServicesRemove) -> Reply<'_, NodeReportReply> {
        self.seen.send_modify(|seen| {
            seen.services.retain(|id, _| !request.ids.contains(id));
            seen.removed.extend(request.ids);
        });
        std::future::ready(Ok(NodeReportReply::default())).boxed()
    }

    fn allocations(&self, request: NodeAllocations) -> Reply<'_, ItemStream<NodeAllocationsItem>> {
        self.seen.send_modify(|seen| seen.min_index = request.min_index);
        let (sender, mut items) = mpsc::channel(16);
        self.items.lock().unwrap().push(sender);
        let first = NodeAllocationsItem {
            complete: true,
            allocations: self.wanted.lock().unwrap().values().collect(),
            ..NodeAllocationsItem::default()
        };
        let stream = ItemStream::local(move |sink| async move {
            sink.send(&first).await?;
            while let Some(item) = items.recv().await {
                sink.send(&item).await?;
            }
            Ok(())
        });
        std::future::ready(Ok(stream)).boxed()
    }

    fn serve(&self, _: Arc<dyn Dispatch>) {}
}

/// Templates of these tests read nothing.
#[derive(Debug)]
pub(super) struct NoSources;

impl Sources for NoSources {
    fn open(&self, _: Arc<TaskContext>) -> Arc<dyn drover_template::Source> {
        #[derive(Debug)]
        struct Nothing;
        impl drover_template::Source for Nothing {
            fn subscribe(&self, _: &drover_template::Dependency) -> drover_template::Subscription {
                watch::channel(drover_template::Observed::default()).1
            }
        }
        Arc::new(Nothing)
    }
}

pub(super) struct Cluster {
    pub(super) servers: Arc<FakeServers>,
    pub(super) client: Handle,
    pub(super) folder: tempfile::TempDir,
}

pub(super) fn config(folder: &Path, dev: bool) -> ClientConfig {
    ClientConfig { dev, state_dir: folder.join("client"), alloc_dir: folder.join("allocs"), ..ClientConfig::default() }
}

pub(super) async fn start(folder: &Path, dev: bool, servers: &Arc<FakeServers>, drivers: Vec<Arc<dyn Driver>>) -> Handle {
    start_with(folder, dev, servers, drivers, Arc::new(NoSources)).await
}

pub(super) async fn start_with(
    folder: &Path,
    dev: bool,
    servers: &Arc<FakeServers>,
    drivers: Vec<Arc<dyn Driver>>,
    sources: Arc<dyn Sources>,
) -> Handle {
    let parts =
        ClientParts { servers: Arc::clone(servers) as Arc<dyn Servers>, drivers, consul: BTreeMap::new(), vault: BTreeMap::new(), sources };
    Client::start(config(folder, dev), Runtime::real(), parts).await.unwrap()
}

impl Cluster {
    pub(super) async fn mock() -> Self {
        let (servers, folder) = (FakeServers::new(), tempfile::tempdir().unwrap());
        let client = start(folder.path(), true, &servers, vec![Arc::new(MockDriver::new())]).await;
        servers.until("a heartbeat", |seen| seen.heartbeats > 0).await;
        Self { servers, client, folder }
    }
}

pub(super) fn mock_task(name: &str, config: serde_json::Value) -> Task {
    let config = config.as_object().cloned();
    Task { name: name.to_owned(), driver: "mock_driver".to_owned(), config, restart_policy: restarts(0), ..Task::default() }
}

pub(super) fn restarts(attempts: u32) -> RestartPolicy {
    let (interval, delay) = (Duration::from_secs(600), Duration::from_secs(15));
    RestartPolicy { attempts, interval, delay, mode: RestartMode::Fail, render_templates: false }
}

pub(super) fn allocation(number: u8, kind: JobType, group: TaskGroup) -> Allocation {
    let group = TaskGroup { name: "g".into(), ..group };
    let job = Job { id: "j".into(), name: "j".to_owned(), kind, task_groups: vec![group].into(), ..Job::default() };
    Allocation {
        id: AllocId::from_random([number; 16]),
        name: "j.g[0]".into(),
        job_id: "j".into(),
        job: Arc::new(job),
        task_group: "g".into(),
        alloc_modify_index: 1,
        ..Allocation::default()
    }
}

pub(super) fn tasks(tasks: Vec<Task>) -> TaskGroup {
    TaskGroup { tasks: tasks.into(), ..TaskGroup::default() }
}

pub(super) fn kinds(state: &TaskState) -> Vec<&str> {
    state.events.iter().map(|event| event.kind.as_str()).collect()
}
