//! The pool: SWIM over datagrams, driven by foca. Servers probe each other, directly and through others, and pass on what they learn.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    num::{NonZeroU8, NonZeroUsize},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drover_runtime::{Datagrams, Random};
use foca::{Config, Foca, Member, NoCustomBroadcast, Notification, PeriodicParams, State, Timer};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    keyring::Keyring,
    member::{Packed, Server},
};

/// One member is probed in each period; one that nobody reaches in it is suspected.
const PROBE_PERIOD: Duration = Duration::from_secs(1);
/// After so long without an answer, others are asked to probe it.
const PROBE_ANSWER: Duration = Duration::from_millis(300);
/// One that is suspected for so long, and does not object, is down.
const SUSPECTED: Duration = Duration::from_secs(2);
/// Before somebody who is down is forgotten.
const DOWN_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Of a datagram before it is sealed, so that it is never split on its way.
const DATAGRAM_BYTES: usize = 1400;
/// What sealing adds, and more.
const BUFFER_BYTES: usize = 2048;
/// Introductions that wait.
const QUEUED: usize = 64;
/// After an error of the socket.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the same address is complained about, and how many are remembered.
const COMPLAIN_EVERY: Duration = Duration::from_secs(600);
const STRANGERS: usize = 64;

fn limits() -> Config {
    let some = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
    let every = |seconds, members| Some(PeriodicParams { frequency: Duration::from_secs(seconds), num_members: some(members) });
    Config {
        probe_period: PROBE_PERIOD,
        probe_rtt: PROBE_ANSWER,
        num_indirect_probes: some(3),
        max_transmissions: NonZeroU8::MIN.saturating_add(5),
        suspect_to_down_after: SUSPECTED,
        remove_down_after: Some(DOWN_KEPT),
        max_packet_size: some(DATAGRAM_BYTES),
        notify_down_members: true,
        periodic_announce: every(10, 1),
        periodic_announce_to_down_members: every(30, 2),
        periodic_gossip: Some(PeriodicParams { frequency: Duration::from_millis(200), num_members: some(3) }),
    }
}

/// What the pool makes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Alive,
    Down,
}

type Known = BTreeMap<u64, (Server, Verdict)>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What this server knows by gossip, and who it is there itself.
#[derive(Debug)]
pub(crate) struct Pool {
    keyring: Arc<Keyring>,
    own: Arc<Mutex<Server>>,
    known: Arc<Mutex<Known>>,
    introduced: mpsc::Sender<Server>,
}

impl Pool {
    pub(super) fn new(own: Server, keyring: Keyring, socket: Box<dyn Datagrams>, random: Arc<dyn Random>) -> (Self, Driver) {
        let (introduced, introductions) = mpsc::channel(QUEUED);
        let (keyring, known) = (Arc::new(keyring), Arc::new(Mutex::default()));
        let foca = Foca::new(own.clone(), limits(), Draws(random), Packed);
        let own = Arc::new(Mutex::new(own));
        let driver = Driver {
            foca,
            socket,
            keyring: Arc::clone(&keyring),
            own: Arc::clone(&own),
            known: Arc::clone(&known),
            introductions,
            timers: BTreeMap::new(),
            scheduled: 0,
            strangers: BTreeMap::new(),
        };
        (Self { keyring, own, known, introduced }, driver)
    }

    pub(crate) fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// This server, as others are told of it.
    pub(crate) fn own(&self) -> Server {
        lock(&self.own).clone()
    }

    /// Whether a server is there; none: gossip has never heard of it.
    pub(crate) fn verdict(&self, id: u64) -> Option<Verdict> {
        lock(&self.known).get(&id).map(|(_, verdict)| *verdict)
    }

    /// The other servers that are there.
    pub(crate) fn alive(&self) -> Vec<Server> {
        lock(&self.known).values().filter(|(_, verdict)| *verdict == Verdict::Alive).map(|(server, _)| server.clone()).collect()
    }

    /// Somebody was met elsewhere: from now on it is spoken to.
    pub(crate) fn meet(&self, server: Server) {
        if server.id != 0 && self.verdict(server.id) != Some(Verdict::Alive) {
            // When many wait, this one will be met again.
            let _ = self.introduced.try_send(server);
        }
    }
}

/// Where foca's numbers come from.
struct Draws(Arc<dyn Random>);

impl rand_core::TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.number())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// What foca wants done.
#[derive(Default)]
struct Effects {
    messages: Vec<(String, Vec<u8>)>,
    timers: Vec<(Duration, Timer<Server>)>,
    changed: bool,
}

impl foca::Runtime<Server> for &mut Effects {
    fn notify(&mut self, notification: Notification<'_, Server>) {
        match notification {
            Notification::MemberUp(server) => {
                info!(name = server.name, address = server.gossip, region = server.region, "gossip: a server is there")
            }
            Notification::MemberDown(server) => {
                warn!(
                    name = server.name,
                    address = server.gossip,
                    region = server.region,
                    "gossip: a server has left, or does not answer any more"
                )
            }
            Notification::Rejoin(own) => info!(generation = own.generation, "gossip: others had given this server up; it has objected"),
            Notification::Rename(..) | Notification::Active | Notification::Idle | Notification::Defunct => {}
        }
        self.changed = true;
    }

    fn send_to(&mut self, to: Server, data: &[u8]) {
        self.messages.push((to.gossip, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Server>, after: Duration) {
        self.timers.push((after, event));
    }
}

/// Runs the pool.
pub(crate) struct Driver {
    foca: Foca<Server, Packed, Draws, NoCustomBroadcast>,
    socket: Box<dyn Datagrams>,
    keyring: Arc<Keyring>,
    own: Arc<Mutex<Server>>,
    known: Arc<Mutex<Known>>,
    introductions: mpsc::Receiver<Server>,
    timers: BTreeMap<(Instant, u64), Timer<Server>>,
    scheduled: u64,
    /// When somebody whose datagrams cannot be opened was complained about.
    strangers: BTreeMap<IpAddr, Instant>,
}

impl Driver {
    /// Until `stop`; then the others are told that this server is gone.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let due = self.timers.first_key_value().map(|((at, _), _)| *at);
            let mut effects = Effects::default();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = until(due) => self.tick(&mut effects),
                Some(server) = self.introductions.recv() => self.meet(server, &mut effects),
                received = self.socket.receive(&mut buffer) => match received {
                    Ok((length, from)) => self.take(&buffer[..length], from, &mut effects),
                    Err(error) => {
                        debug!(%error, "cannot take a datagram");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
            self.perform(effects).await;
        }
        let mut effects = Effects::default();
        note(self.foca.leave_cluster(&mut effects));
        self.perform(effects).await;
    }

    fn tick(&mut self, effects: &mut Effects) {
        let now = Instant::now();
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
            let timer = first.remove();
            note(self.foca.handle_timer(timer, &mut *effects));
        }
    }

    fn meet(&mut self, server: Server, effects: &mut Effects) {
        if server.id == self.foca.identity().id {
            return;
        }
        note(self.foca.apply_many(std::iter::once(Member::alive(server.clone())), true, &mut *effects));
        note(self.foca.announce(server, effects));
    }

    fn take(&mut self, datagram: &[u8], from: SocketAddr, effects: &mut Effects) {
        match self.keyring.open_message(datagram) {
            Some(message) => note(self.foca.handle_data(&message, effects)),
            None => self.complain(from.ip()),
        }
    }

    fn complain(&mut self, from: IpAddr) {
        self.strangers.retain(|_, at| at.elapsed() < COMPLAIN_EVERY);
        if self.strangers.len() >= STRANGERS || self.strangers.contains_key(&from) {
            return;
        }
        self.strangers.insert(from, Instant::now());
        if self.keyring.is_empty() {
            warn!(%from, "gossip from there is refused: it is sealed, and this server has no key. All servers need the same one (server.encrypt)");
        } else {
            warn!(%from, "gossip from there is refused: it is sealed with none of this server's keys. All servers need the same one (server.encrypt)");
        }
    }

    async fn perform(&mut self, effects: Effects) {
        for (after, timer) in effects.timers {
            self.scheduled += 1;
            self.timers.insert((Instant::now() + after, self.scheduled), timer);
        }
        if effects.changed {
            let members = self.foca.iter_membership_state();
            let verdict = |member: &Member<Server>| if member.state() == State::Down { Verdict::Down } else { Verdict::Alive };
            *lock(&self.known) = members.map(|member| (member.id().id, (member.id().clone(), verdict(member)))).collect();
            *lock(&self.own) = self.foca.identity().clone();
        }
        for (address, message) in effects.messages {
            let Some(sealed) = self.keyring.seal(&message) else { continue };
            if let Err(error) = self.send(&sealed, &address).await {
                debug!(address, %error, "cannot send a datagram");
            }
        }
    }

    async fn send(&self, bytes: &[u8], address: &str) -> io::Result<()> {
        // It may have to look a name up.
        let sent = tokio::time::timeout(PROBE_ANSWER, self.socket.send(bytes, address)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Whatever others send, the pool goes on.
fn note(result: Result<(), foca::Error>) {
    if let Err(error) = result {
        debug!(%error, "gossip");
    }
}
