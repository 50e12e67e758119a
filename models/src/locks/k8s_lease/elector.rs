//! The memory and the attempts of a candidate: `LeaderElector` with a `LeaseLock`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{CallError, ConnId, Mono, MonoDeadline, NodeId};
use serde::Serialize;

use super::K8sLeaseParams;
use super::config::{CandidateIdentity, Config};
use crate::grant::{LockError, Reason};
use crate::history::{GrantId, ResourceId, Token};
use crate::servers::conditional::{Item, ItemMessage, Version};
use crate::wire::Ctx;

/// The messages of the API server and its clients.
pub type K8sMessage = ItemMessage<LeaseSpec>;

/// The spec of a Lease object. Its times are left out: no client compares them, and the object's version shows a
/// renewal as well.
#[derive(Clone, Debug, Serialize)]
pub struct LeaseSpec {
    /// `holderIdentity`: `None` after a release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Identity>,
    /// `leaseDurationSeconds`.
    pub seconds: u32,
    /// `leaseTransitions`.
    pub transitions: Token,
    /// The grant, as ground truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
}

/// A candidate's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// That of a process, by its first attempt: the host's name and a random UUID in Kubernetes' own components.
    Process(GrantId),
    /// That of a node, which a restart keeps.
    Node(NodeId),
}

/// The condition of a write.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// The object does not exist: `create`.
    Absent,
    /// The object has this `resourceVersion`: `update`.
    Version(Version),
}

impl Item for LeaseSpec {
    type Condition = Condition;

    fn meets(stored: Option<&Self>, version: Version, condition: &Condition) -> bool {
        match condition {
            Condition::Absent => stored.is_none(),
            Condition::Version(expected) => stored.is_some() && version == *expected,
        }
    }

    fn holder(&self) -> Option<GrantId> {
        self.grant
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    /// This candidate leads.
    Leads,
    /// This candidate does not lead.
    Follows,
    /// Unknown: an update was sent and no reply came.
    Unsure(CallError),
}

/// A candidate.
pub(super) struct Elector {
    pub ctx: Ctx<K8sMessage>,
    pub config: Config,
    resource: ResourceId,
    server: ConnId,
    identity: Cell<Option<Identity>>,
    observed: RefCell<Option<Observed>>,
    /// The object's version at the last request of the `LeaseLock`.
    version: Cell<Version>,
    /// The grant for which the user was notified of its leadership.
    pub leading: Cell<Option<GrantId>>,
}

/// `observedRecord`, `observedRawRecord` and what follows from `observedTime`.
struct Observed {
    spec: LeaseSpec,
    /// The version at the last read; `None` for the candidate's own record, which it has not read yet.
    read: Option<Version>,
    expires: MonoDeadline,
}

impl Elector {
    pub fn new(params: &K8sLeaseParams, ctx: Ctx<K8sMessage>, resource: ResourceId) -> Rc<Self> {
        let server = ctx.connect(ctx.find("k8s"));
        Rc::new(Elector {
            config: params.config_of(ctx.node()),
            ctx,
            resource,
            server,
            identity: Cell::new(None),
            observed: RefCell::new(None),
            version: Cell::new(0),
            leading: Cell::new(None),
        })
    }

    /// `NewLeaderElector`: nothing has been observed yet. The identity is that of the process, from its first attempt,
    /// or of the node.
    pub fn start(&self, attempt: GrantId) {
        *self.observed.borrow_mut() = None;
        if self.identity.get().is_none() {
            self.identity.set(Some(match self.config.identity {
                CandidateIdentity::Process => Identity::Process(attempt),
                CandidateIdentity::Node => Identity::Node(self.ctx.node()),
            }));
        }
    }

    /// `IsLeader`: the last observed record names this candidate.
    pub fn is_leader(&self) -> bool {
        self.observed.borrow().as_ref().is_some_and(|observed| self.is_me(&observed.spec))
    }

    /// `leaseTransitions` of the last observed record.
    pub fn transitions(&self) -> Token {
        self.observed.borrow().as_ref().map_or(0, |observed| observed.spec.transitions)
    }

    fn is_me(&self, spec: &LeaseSpec) -> bool {
        spec.holder.is_some() && spec.holder == self.identity.get()
    }

    /// `tryAcquireOrRenew`, abandoned at `until`. Reaches the step once the first request is sent.
    pub async fn try_once(&self, grant: GrantId, until: Mono, step: Option<&'static str>) -> Try {
        let valid = self.is_lease_valid();
        let mut otherwise = Try::Follows;
        if self.is_leader() && valid {
            match self.update(self.own(grant, self.transitions()), until, step).await {
                Try::Leads => return Try::Leads,
                failed => otherwise = failed,
            }
        }
        let Ok((found, version)) = self.get(until, step).await else { return otherwise };
        let Some(found) = found else { return self.create(grant, until).await };
        let changed = self.observe_read(&found, version);
        let is_me = self.is_me(&found);
        if found.holder.is_some() && (changed || valid) && !is_me {
            return otherwise;
        }
        if self.config.early_callback && is_me && self.leading.get() != Some(grant) {
            return Try::Leads;
        }
        let transitions = if is_me { found.transitions } else { found.transitions + 1 };
        match self.update(self.own(grant, transitions), until, None).await {
            Try::Follows => otherwise,
            decided => decided,
        }
    }

    /// Whether the observed record is younger than a lease duration.
    fn is_lease_valid(&self) -> bool {
        self.observed.borrow().as_ref().is_some_and(|observed| !self.ctx.passed(observed.expires))
    }

    fn own(&self, grant: GrantId, transitions: Token) -> LeaseSpec {
        LeaseSpec { holder: self.identity.get(), seconds: self.config.lease_seconds(), transitions, grant: Some(grant) }
    }

    /// Observes a read record and returns whether it has changed since the last read; its time then counts from now.
    fn observe_read(&self, found: &LeaseSpec, version: Version) -> bool {
        let changed = self.observed.borrow().as_ref().is_none_or(|observed| observed.read != Some(version));
        if changed {
            self.observe(found.clone(), Some(version));
        }
        changed
    }

    fn observe(&self, spec: LeaseSpec, read: Option<Version>) {
        let duration = if self.config.own_duration { self.config.lease } else { spec.lease() };
        let expires = self.ctx.deadline(self.ctx.mono(), duration);
        *self.observed.borrow_mut() = Some(Observed { spec, read, expires });
    }

    /// A read on a broken connection is sent again (Go's `net/http`, comment of `Transport`).
    async fn get(&self, until: Mono, step: Option<&'static str>) -> Result<(Option<LeaseSpec>, Version), CallError> {
        let get = || ItemMessage::Get { resource: self.resource };
        let reply = match self.ask(get(), until, step).await {
            Err(CallError::Reset) => self.ask(get(), until, None).await?,
            reply => reply?,
        };
        let ItemMessage::Found { item, version } = reply else { return Err(CallError::Refused) };
        self.version.set(version);
        Ok((item, version))
    }

    async fn create(&self, grant: GrantId, until: Mono) -> Try {
        self.put(Condition::Absent, self.own(grant, 0), grant, until, None).await
    }

    async fn update(&self, spec: LeaseSpec, until: Mono, step: Option<&'static str>) -> Try {
        let on_behalf = spec.grant.expect("a candidate that updates in order to lead has a grant");
        self.put(Condition::Version(self.version.get()), spec, on_behalf, until, step).await
    }

    async fn put(
        &self,
        condition: Condition,
        spec: LeaseSpec,
        on_behalf: GrantId,
        until: Mono,
        step: Option<&'static str>,
    ) -> Try {
        let put = ItemMessage::Put { resource: self.resource, condition, item: spec.clone(), on_behalf };
        match self.ask(put, until, step).await {
            Ok(ItemMessage::Written { version }) => {
                self.version.set(version);
                self.observe(spec, None);
                Try::Leads
            }
            Ok(_) | Err(CallError::Refused) => Try::Follows,
            Err(error) => Try::Unsure(error),
        }
    }

    /// Sends a request with the client's timeout, or the context's deadline if that is sooner.
    async fn ask(&self, message: K8sMessage, until: Mono, step: Option<&'static str>) -> Result<K8sMessage, CallError> {
        let within = (until - self.ctx.mono()).min(self.config.request_timeout());
        let call = self.ctx.ask(self.server, message, within);
        if let Some(step) = step {
            self.ctx.reach_step(step).await;
        }
        call.await
    }

    /// `tryRelease` (client-go 1.34 to 1.36, leaderelection.go): reads the record, but asks `IsLeader()` of the record
    /// that it observed last. So it may clear the record of another leader, unless the bug is fixed. Repeats after
    /// another write in between.
    pub async fn release(&self, grant: GrantId) -> Result<(), LockError> {
        let until = self.ctx.mono() + self.config.renew_deadline;
        let mut step = Some("release-sent");
        loop {
            let (found, _) = self.get(until, None).await.map_err(|error| LockError::Failed(Reason::Call(error)))?;
            let Some(found) =
                found.filter(|found| self.is_leader() && (self.config.clears_another || self.is_me(found)))
            else {
                return Err(LockError::Failed(Reason::NotHeld));
            };
            let cleared = LeaseSpec { holder: None, seconds: 1, transitions: found.transitions, grant: None };
            let condition = Condition::Version(self.version.get());
            match self.put(condition, cleared, grant, until, step.take()).await {
                Try::Leads => return Ok(()),
                Try::Unsure(error) => return Err(error.into()),
                Try::Follows if self.ctx.mono() >= until => return Err(LockError::Failed(Reason::NotHeld)),
                Try::Follows => {}
            }
        }
    }

    /// `renew`, until it has failed for the renew deadline. Then the record is released and the user notified.
    pub async fn renew(self: Rc<Self>, grant: GrantId) {
        while self.renew_once(grant).await {
            self.ctx.sleep(self.config.retry_period).await;
        }
        if self.config.release_on_cancel {
            self.release(grant).await.ok();
        }
        self.leading.set(None);
        self.ctx.report_lock_lost(grant);
    }

    /// Tries every retry period until it succeeds or the renew deadline has passed.
    async fn renew_once(&self, grant: GrantId) -> bool {
        let started = self.ctx.mono();
        let until = started + self.config.renew_deadline;
        let mut next = started;
        while self.ctx.mono() < until {
            if self.try_once(grant, until, None).await == Try::Leads {
                return true;
            }
            next = (next + self.config.retry_period).max(self.ctx.mono());
            self.ctx.sleep_until(next.min(until)).await;
        }
        false
    }
}
