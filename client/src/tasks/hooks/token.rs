//! A token of a neighbour that a task has for itself: got before it starts, kept alive beside it, replaced when it ends or is gone, given back after it.

use std::{path::Path, sync::Arc, time::Duration};

use drover_integrations::{
    Error, Token, Tokens,
    lease::{Lapse, keep_alive},
    secrets::Lease,
    tokens::{Login, Proof},
};
use drover_model::{
    job::{ChangeMode, Task, WorkloadIdentity},
    secret::SecretText,
};
use drover_template::Ownership;
use tokio::sync::{Notify, watch};

use super::HookError;
use crate::{
    identities, limits,
    tasks::{Control, Scope, events, scope::Origin},
};

const FILE_MODE: u32 = 0o600;
/// A token is some hundred bytes.
const TOKEN_BYTES: usize = 64 << 10;
const DEFAULT_SIGNAL: &str = "SIGHUP";
/// How long a token that is in use is taken to live when the neighbour cannot be asked.
const UNKNOWN_LEASE: Duration = Duration::from_secs(60);
/// After somebody was refused with the token: the most that passes before it is asked about, so that not all tasks of a node ask together.
const DOUBT_SPREAD: Duration = Duration::from_secs(1);
/// Between two such questions at first, and at most: a read that is merely not allowed is refused again and again.
const DOUBT_FIRST: Duration = Duration::from_secs(10);
/// See [`DOUBT_FIRST`].
const DOUBT_MOST: Duration = Duration::from_secs(600);

/// Whose token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Consul,
    Vault,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Consul => "Consul",
            Self::Vault => "Vault",
        }
    }

    /// Beneath the task's folder.
    fn file(self) -> &'static str {
        match self {
            Self::Consul => "secrets/consul_token",
            Self::Vault => "secrets/vault_token",
        }
    }

    fn token(self, scope: &Scope) -> &watch::Sender<SecretText> {
        match self {
            Self::Consul => &scope.consul_token,
            Self::Vault => &scope.vault_token,
        }
    }

    fn doubt(self, scope: &Scope) -> &Arc<Notify> {
        match self {
            Self::Consul => &scope.consul_doubt,
            Self::Vault => &scope.vault_doubt,
        }
    }
}

/// How one token is got and shown.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) peer: Peer,
    pub(super) tokens: Arc<dyn Tokens>,
    /// What is signed to log in with; none: a child of the agent's own token with `policies` is asked for.
    pub(super) identity: Option<WorkloadIdentity>,
    pub(super) policies: Vec<String>,
    pub(super) role: String,
    pub(super) namespace: Option<String>,
    /// Names of the variables that hold the token.
    pub(super) variables: &'static [&'static str],
    /// Variables that go with it.
    pub(super) beside: Vec<(String, String)>,
    /// Whether it stands in a file, too.
    pub(super) file: bool,
    pub(super) change_mode: ChangeMode,
    pub(super) change_signal: String,
    /// Nobody minds its end.
    pub(super) may_expire: bool,
}

impl Keeper {
    /// Gets a token and keeps it. One that an earlier attempt to start the task left is taken again.
    pub(super) async fn prepare(self, scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
        let held = self.peer.token(scope).borrow().clone();
        if !held.is_empty() {
            return self.take_up(scope, task, held).await;
        }
        let token = self.login(scope, task).await?;
        self.publish(scope, &token.text).await?;
        scope.beside(self.keep(Arc::clone(scope), token.text, token.lease));
        Ok(())
    }

    /// Goes on with the token of the task that runs, if there is one and it is still good.
    pub(super) async fn resume(self, scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
        let kept = scope.folder(&scope.dirs.task).read(Path::new(self.peer.file()), TOKEN_BYTES).await.ok().flatten();
        let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| SecretText::new(text.trim()));
        match kept.filter(|token| !token.is_empty()) {
            Some(token) => self.take_up(scope, task, token).await,
            None => self.prepare(scope, task).await,
        }
    }

    async fn take_up(self, scope: &Arc<Scope>, task: &Task, token: SecretText) -> Result<(), HookError> {
        self.peer.token(scope).send_replace(token.clone());
        scope.add(Origin::Token, self.shown(&token));
        // A token whose state is not known is used as long as it is accepted.
        let lease = match tokio::time::timeout(limits::TOKEN_CALL, self.tokens.lookup(&token)).await {
            Ok(Ok(info)) => Lease { duration: info.ttl, renewable: info.renewable },
            Ok(Err(error)) if !error.is_transient() => {
                self.peer.token(scope).send_replace(SecretText::default());
                return Box::pin(self.prepare(scope, task)).await;
            }
            Ok(Err(_)) | Err(_) => Lease { duration: UNKNOWN_LEASE, renewable: true },
        };
        scope.beside(self.keep(Arc::clone(scope), token, lease));
        Ok(())
    }

    /// Gives the token back.
    pub(super) async fn stop(self, scope: &Scope) {
        let token = self.peer.token(scope).send_replace(SecretText::default());
        if token.is_empty() {
            return;
        }
        let revoked = tokio::time::timeout(limits::DEREGISTER, self.tokens.revoke(&token)).await;
        if !matches!(revoked, Ok(Ok(()))) {
            tracing::warn!(task = ?scope, peer = self.peer.name(), "the token of a task that has ended was not revoked; it ends with its lease");
        }
    }

    /// A neighbour that is away is waited for; one that refuses ends the attempt.
    async fn login(&self, scope: &Scope, task: &Task) -> Result<Token, HookError> {
        let peer = self.peer.name();
        let (mut pause, mut told) = (limits::TOKEN_RETRY_FIRST, false);
        loop {
            let login = Login {
                proof: self.proof(scope, task).await?,
                role: self.role.clone(),
                namespace: self.namespace.clone(),
                meta: [("AllocationID".to_owned(), scope.alloc_id.to_string()), ("Task".to_owned(), task.name.clone())].into(),
            };
            let text = match tokio::time::timeout(limits::TOKEN_CALL, self.tokens.login(&login)).await {
                Ok(Ok(token)) => return Ok(token),
                Ok(Err(error)) if !error.is_transient() => {
                    let setup = HookError::setup(scope, &format!("{peer}: failed to derive a token: {error}"));
                    return Err(HookError { is_recoverable: true, ..setup });
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            tracing::warn!(task = ?scope, peer, error = text, "no token yet; another attempt follows");
            if !std::mem::replace(&mut told, true) {
                scope.event(events::hook_message(scope.now(), &format!("{peer}: waiting for a token: {text}")));
            }
            tokio::time::sleep(pause + scope.shared.runtime.random.jitter(pause)).await;
            pause = (pause * 2).min(limits::TOKEN_RETRY_MOST);
        }
    }

    async fn proof(&self, scope: &Scope, task: &Task) -> Result<Proof, HookError> {
        let Some(identity) = &self.identity else { return Ok(Proof::Policies(self.policies.clone())) };
        let signed = identities::sign(&scope.shared, super::identity::request(scope, task, identity)).await;
        let failed =
            |error| HookError::setup(scope, &format!("{}: failed to sign identity {:?}: {error}", self.peer.name(), identity.name));
        Ok(Proof::Jwt(signed.map_err(failed)?.jwt))
    }

    fn shown(&self, token: &SecretText) -> Vec<(String, String)> {
        let held = self.variables.iter().map(|name| ((*name).to_owned(), token.expose().to_owned()));
        held.chain(self.beside.iter().cloned()).collect()
    }

    async fn publish(&self, scope: &Scope, token: &SecretText) -> Result<(), HookError> {
        scope.add(Origin::Token, self.shown(token));
        self.peer.token(scope).send_replace(token.clone());
        if !self.file || token.is_empty() {
            return Ok(());
        }
        let (folder, file) = (scope.folder(&scope.dirs.task), Path::new(self.peer.file()));
        let written = folder.write(file, token.expose().to_owned(), FILE_MODE, Ownership::default()).await;
        written.map(drop).map_err(|error| HookError::setup(scope, &format!("{}: failed to write the token: {error}", self.peer.name())))
    }

    /// Keeps the token alive, and gets another when it ends or is gone, which the task is told of as its `change_mode` says.
    async fn keep(self, scope: Arc<Scope>, mut token: SecretText, mut lease: Lease) {
        let mut doubts = Doubts { pause: DOUBT_FIRST, useless: false };
        while !token.is_empty() && !self.may_expire {
            let alive = keep_alive(Arc::clone(&self.tokens), token.clone(), lease, Arc::clone(&scope.shared.runtime.random));
            let (lapse, doubted) = tokio::select! {
                lapse = alive => (lapse, false),
                lapse = self.gone(&scope, &token, &mut doubts) => (lapse, true),
            };
            tracing::info!(task = ?scope, peer = self.peer.name(), ?lapse, "the token of a task ends; another one is asked for");
            let new = self.login_at_last(&scope).await;
            if doubted && self.is_refused(&new.text).await {
                // Not even a fresh token may be asked about: such a question says nothing, and the old token is as good as this one.
                doubts.useless = true;
                let _ = tokio::time::timeout(limits::TOKEN_CALL, self.tokens.revoke(&new.text)).await;
                continue;
            }
            (token, lease) = (new.text, new.lease);
            if let Err(error) = self.publish(&scope, &token).await {
                scope.event(events::hook_failed(scope.now(), &error.event.display_message));
            }
            self.tell(&scope).await;
        }
    }

    /// Tries until there is a token. The task goes on with what it has.
    async fn login_at_last(&self, scope: &Scope) -> Token {
        let (mut pause, mut told) = (limits::TOKEN_RETRY_FIRST, String::new());
        loop {
            match self.login(scope, &scope.task()).await {
                Ok(new) => return new,
                Err(error) => {
                    let text = error.event.display_message.to_string();
                    if text != told {
                        scope.event(events::hook_failed(scope.now(), &text));
                        told = text;
                    }
                    tokio::time::sleep(pause + scope.shared.runtime.random.jitter(pause)).await;
                    pause = (pause * 2).min(limits::TOKEN_RETRY_MOST);
                }
            }
        }
    }

    /// Resolves when somebody was refused with the token and the neighbour does not know it any more.
    async fn gone(&self, scope: &Scope, token: &SecretText, doubts: &mut Doubts) -> Lapse {
        loop {
            if doubts.useless {
                std::future::pending::<()>().await;
            }
            self.peer.doubt(scope).notified().await;
            let random = &scope.shared.runtime.random;
            tokio::time::sleep(random.jitter(DOUBT_SPREAD)).await;
            if self.is_refused(token).await {
                let call = "the look-up of a token".to_owned();
                let (peer, message) = (self.peer.name().to_owned(), "it is not known any more".to_owned());
                return Lapse::Refused(Error::Refused { peer, call, status: 403, message });
            }
            tokio::time::sleep(doubts.pause / 2 + random.jitter(doubts.pause / 2)).await;
            doubts.pause = (doubts.pause * 2).min(DOUBT_MOST);
        }
    }

    async fn is_refused(&self, token: &SecretText) -> bool {
        let asked = tokio::time::timeout(limits::TOKEN_CALL, self.tokens.lookup(token)).await;
        matches!(asked, Ok(Err(error)) if error.is_forbidden())
    }

    async fn tell(&self, scope: &Scope) {
        let (now, peer) = (scope.now(), self.peer.name());
        let reason = format!("{peer}: new {peer} token acquired");
        let control = match self.change_mode {
            ChangeMode::Restart => Control::Restart { event: events::restart_signaled(now, &reason), reply: None },
            ChangeMode::Signal => {
                let signal = if self.change_signal.is_empty() { DEFAULT_SIGNAL.to_owned() } else { self.change_signal.clone() };
                let event = events::signaling(now, &signal, &reason);
                Control::Signal { signal, event, reply: None }
            }
            ChangeMode::Noop | ChangeMode::Script | ChangeMode::Rolling | ChangeMode::Unset => return,
        };
        let _ = scope.control.send(control).await;
    }
}

/// What was learned of asking about tokens.
struct Doubts {
    pause: Duration,
    /// The neighbour does not let tokens ask about themselves.
    useless: bool,
}
