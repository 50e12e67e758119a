//! The background tasks of `api.Lock`: the renewal of its session (api/session.go, `RenewPeriodic`) and the watch on
//! its key (api/lock.go, `monitorLock`).

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{Either, Signal, Task, race};

use super::agent::Agent;
use crate::history::{GrantId, ResourceId};
use crate::locks::consul::server::{Consistency, ConsulMessage, Reply, Request};
use crate::wire::Ctx;

/// The pause after a failed renewal (RenewPeriodic).
const RETRY: Duration = Duration::from_secs(1);

/// Renews a session until it is stopped.
pub(super) struct Keeper {
    stop: Signal,
    done: Rc<Cell<bool>>,
    _task: Task,
}

impl Keeper {
    pub fn new(ctx: &Ctx<ConsulMessage>, agent: Rc<Agent>, session: GrantId, ttl: Duration) -> Self {
        let (stop, done) = (Signal::default(), Rc::new(Cell::new(false)));
        let (ordered, over, own) = (stop.clone(), done.clone(), ctx.clone());
        let task = ctx.spawn(async move {
            renew_periodic(&own, &agent, session, ttl, &ordered).await;
            over.set(true);
        });
        Keeper { stop, done, _task: task }
    }

    /// Destroys the session, unless it already counts as lost.
    pub fn stop(&self) {
        self.stop.raise();
    }

    /// Whether the task has ended.
    pub fn is_done(&self) -> bool {
        self.done.get()
    }
}

/// Its end is not a loss of the lock, and is not reported.
async fn renew_periodic(ctx: &Ctx<ConsulMessage>, agent: &Agent, session: GrantId, ttl: Duration, stop: &Signal) {
    let (mut wait, mut renewed) = (ttl / 2, ctx.mono());
    while ctx.mono() - renewed <= ttl {
        match race(stop.raised(), ctx.sleep(wait)).await {
            Either::First(()) => {
                agent.rpc(Request::DestroySession { session }, None).await.ok();
                return;
            }
            Either::Second(()) => match agent.rpc(Request::RenewSession { session }, None).await {
                Ok(Reply::Done { ok: true }) => (wait, renewed) = (ttl / 2, ctx.mono()),
                Ok(_) => return,
                Err(_) => wait = RETRY,
            },
        }
    }
}

/// The watched key, and the tolerated failures.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    pub resource: ResourceId,
    pub session: GrantId,
    pub retries: u32,
    pub retry_time: Duration,
}

/// Waits until the session no longer holds the key, or its state is unknown.
pub(super) async fn until_lost(ctx: &Ctx<ConsulMessage>, agent: &Agent, watch: Watch) {
    let Watch { resource, session, retries, retry_time } = watch;
    let (mut after, mut left) = (0, retries);
    loop {
        let consistency = Consistency::Consistent;
        match agent.rpc(Request::Get { resource, after, wait: Duration::ZERO, consistency }, None).await {
            Ok(Reply::Entry { index, holder: Some((holder, _)) }) if holder == session => {
                (after, left) = (index, retries);
            }
            Err(_) if left > 0 => {
                ctx.sleep(retry_time).await;
                (after, left) = (0, left - 1);
            }
            _ => return,
        }
    }
}
