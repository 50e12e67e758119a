//! Consul's `api.Lock` (hashicorp/consul, api/lock.go). See [`crate::locks::consul::server`] for the servers.
//!
//! Each `Lock` creates a session, renews it at half its time to live, reads the key by blocking queries until it is
//! free, and acquires it. If a free key is refused, it has a lock-delay: the client tries again every 5 s. While it
//! holds the lock, it watches the key, and notifies its user as soon as another session has the key or a query fails.
//! It does not report failed renewals of the session.

mod agent;
mod info;
mod params;
pub mod server;
mod session;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, Either, Task, race};

use self::agent::{Agent, DETECTION};
pub use self::params::ConsulParams;
use self::session::{Keeper, Watch, until_lost};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId, Token};
use crate::info::LockInfo;
use crate::lock::Lock;
use crate::locks::consul::server::{Catalog, Consistency, Consul, ConsulMessage, HOLD, Reply, Request, ServerConfig};
use crate::servers::raft::deploy;
use crate::site::Site;
use crate::wire::Ctx;

/// A client of Consul.
pub struct ConsulLock {
    params: ConsulParams,
    ctx: Ctx<ConsulMessage>,
    agent: Rc<Agent>,
    resource: ResourceId,
    held: Option<Held>,
    /// Keepers that still have a session to destroy.
    leaving: Vec<Keeper>,
}

struct Held {
    session: GrantId,
    keeper: Keeper,
    _monitor: Task,
}

/// The progress of an attempt.
#[derive(Default)]
struct Attempted {
    keeper: RefCell<Option<Keeper>>,
    /// The key may have been acquired without the client's knowledge.
    in_flight: Cell<bool>,
}

/// An application's pause after `Lock` returned an error. Our choice: Consul leaves it to the application.
const AFTER_ERROR: Duration = Duration::from_secs(1);

impl Lock for ConsulLock {
    const INFO: LockInfo = info::INFO;
    type Params = ConsulParams;
    type Message = ConsulMessage;

    fn deploy(params: &ConsulParams, site: &mut Site<'_, ConsulMessage>) {
        let config = ServerConfig { session_ttl_min: params.session_ttl_min.0, serf_health: params.serf_health };
        deploy(site, &params.server_names(), params.raft(), Catalog::default(), |_| Consul::new(config));
    }

    fn connect(params: &ConsulParams, ctx: Ctx<ConsulMessage>, resource: ResourceId) -> Self {
        let agent = Rc::new(Agent::new(ctx.clone(), &params.server_names()));
        ConsulLock { params: params.clone(), ctx, agent, resource, held: None, leaving: Vec::new() }
    }

    /// An abandoned attempt destroys its session. It leaves at most a lock-delay, if the key was acquired in the last
    /// moment.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        if self.held.is_some() {
            return Err(LockError::Failed(Reason::Busy));
        }
        self.leaving.retain(|keeper| !keeper.is_done());
        let attempted = Attempted::default();
        let locked = race(self.lock(attempt.id, &attempted), self.ctx.sleep_until(attempt.give_up)).await;
        let keeper = attempted.keeper.take();
        let token = match (locked, attempted.in_flight.get()) {
            (Either::First(token), _) => token,
            (Either::Second(()), true) => Err(LockError::Unknown(Reason::Call(CallError::TimedOut))),
            (Either::Second(()), false) => Err(LockError::Failed(Reason::Busy)),
        };
        match (token, keeper) {
            (Ok(token), Some(keeper)) => Ok(self.hold(attempt.id, token, keeper)),
            (token, keeper) => {
                keeper.into_iter().for_each(|keeper| self.retire(keeper));
                Err(token.err().unwrap_or(LockError::Failed(Reason::NotHeld)))
            }
        }
    }

    /// `Unlock` ends the session in any case, and does not check whether it held the key.
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let Some(held) = self.held.take_if(|held| held.session == grant.id) else {
            return Err(LockError::Failed(Reason::NotHeld));
        };
        let release = Request::Release { resource: self.resource, session: held.session };
        let released = self.agent.rpc(release, Some("release-sent")).await;
        self.retire(held.keeper);
        released?;
        Ok(())
    }

    fn info(params: &ConsulParams) -> LockInfo {
        if params.cli { Self::INFO.without_token() } else { Self::INFO }
    }

    fn retry_delay(&mut self) -> Duration {
        AFTER_ERROR
    }

    /// A session ends twice its time to live after its last renewal, its keys are free after the lock-delay, and a
    /// refused client returns within 5 s. A new leader restarts all timers: an election, and the whole time again. The
    /// timers run on the leader's monotonic clock: slow rates and stopped machines lengthen them, clock steps do not.
    /// It takes up to 40 s to detect a dead connection, and a request may be held for 7 s more.
    fn takeover_bound(params: &ConsulParams, allowance: &BoundAllowance) -> Duration {
        let expiry = params.session() + params.lock_delay.0;
        let undisturbed = expiry + params.lock_retry.0 + AFTER_ERROR;
        if *allowance == BoundAllowance::default() {
            return undisturbed;
        }
        let election = 2 * params.raft().max_failover_time();
        let again = allowance.stretch_mono(undisturbed + election);
        again + allowance.reconnect + DETECTION + 2 * HOLD
    }

    fn progress_bound(params: &ConsulParams, allowance: &BoundAllowance) -> Duration {
        Self::takeover_bound(
            params,
            &BoundAllowance { reconnect: allowance.reconnect.max(Duration::from_nanos(1)), ..*allowance },
        )
    }
}

impl ConsulLock {
    /// `Lock` of api/lock.go, and the read of the sequencer.
    async fn lock(&self, session: GrantId, attempted: &Attempted) -> Result<Token, LockError> {
        let terms = self.params.terms(self.ctx.node());
        self.agent.rpc(Request::CreateSession { session, terms }, None).await?;
        let keeper = Keeper::new(&self.ctx, self.agent.clone(), session, terms.ttl);
        attempted.keeper.replace(Some(keeper));
        let (mut after, mut step) = (0, Some("acquire-sent"));
        loop {
            match self.read(after, self.params.consistency).await? {
                (_, Some((holder, _))) if holder == session => break,
                (index, Some(_)) => {
                    after = index;
                    continue;
                }
                (_, None) => {}
            }
            attempted.in_flight.set(true);
            let acquire = Request::Acquire { resource: self.resource, session };
            let acquired = self.agent.rpc(acquire, step.take()).await?;
            if matches!(acquired, Reply::Done { ok: true }) {
                break;
            }
            attempted.in_flight.set(false);
            after = self.after_refusal().await;
        }
        attempted.in_flight.set(true);
        match self.read(0, Consistency::Consistent).await {
            Ok((_, Some((holder, lock_index)))) if holder == session => Ok(lock_index),
            Ok(_) => Err(LockError::Unknown(Reason::NotHeld)),
            Err(LockError::Failed(reason) | LockError::Unknown(reason)) => Err(LockError::Unknown(reason)),
        }
    }

    /// Handles a refusal: another session holds the key, whose release is worth waiting for, or the key has a
    /// lock-delay. Returns the index after which to wait.
    async fn after_refusal(&self) -> u64 {
        if let Ok((index, Some(_))) = self.read(0, self.params.consistency).await {
            return index;
        }
        self.ctx.sleep(self.params.lock_retry.0).await;
        0
    }

    async fn read(&self, after: u64, consistency: Consistency) -> Result<(u64, Option<(GrantId, u64)>), LockError> {
        let (resource, wait) = (self.resource, self.params.lock_wait.0);
        match self.agent.rpc(Request::Get { resource, after, wait, consistency }, None).await? {
            Reply::Entry { index, holder } => Ok((index, holder)),
            _ => Err(LockError::Failed(Reason::Call(CallError::Refused))),
        }
    }

    fn hold(&mut self, session: GrantId, token: Token, keeper: Keeper) -> Grant {
        let ConsulParams { monitor_retries: retries, monitor_retry_time, .. } = self.params;
        let watch = Watch { resource: self.resource, session, retries, retry_time: monitor_retry_time.0 };
        let (ctx, agent) = (self.ctx.clone(), self.agent.clone());
        let monitor = self.ctx.spawn(async move {
            until_lost(&ctx, &agent, watch).await;
            ctx.report_lock_lost(session);
        });
        self.held = Some(Held { session, keeper, _monitor: monitor });
        Grant { id: session, token: Some(token), valid_until: None }
    }

    fn retire(&mut self, keeper: Keeper) {
        keeper.stop();
        self.leaving.push(keeper);
    }
}
