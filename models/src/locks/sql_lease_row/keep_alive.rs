//! ShedLock's `KeepAliveLockProvider`: extends a lock for `lock_at_most` every half of it, until it is released.

use std::cell::Cell;
use std::rc::Rc;

use fencepost_sim::{Either, Mono, Signal, Task, race};

use super::params::{Clock, SqlLeaseRowParams};
use crate::history::{GrantId, ResourceId};
use crate::servers::sql::{Database, Lease, POOL_TIMEOUT, SqlMessage, Times, millis};
use crate::wire::Ctx;

/// The task that extends a client's lock, on its own connection, as from a pool.
pub(super) struct KeepAlive {
    shared: Rc<Shared>,
    _task: Task,
}

/// The state that the task and its client share.
struct Shared {
    lock: Cell<Option<ExtendedLock>>,
    changed: Signal,
    extending: Cell<bool>,
    extended: Signal,
}

/// A lock that is extended.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ExtendedLock {
    grant: GrantId,
    /// The time of the next extension.
    due: Mono,
    /// The end of the lock, as the client computes it.
    until: i64,
}

impl KeepAlive {
    pub fn new(params: &SqlLeaseRowParams, ctx: &Ctx<SqlMessage>, resource: ResourceId) -> Self {
        let shared = Rc::new(Shared {
            lock: Cell::default(),
            changed: Signal::default(),
            extending: Cell::default(),
            extended: Signal::default(),
        });
        let database = Database::new(ctx.clone(), params.standby, params.socket_timeout.0, params.pool);
        let keeper = Keeper { params: params.clone(), ctx: ctx.clone(), resource, database, shared: shared.clone() };
        KeepAlive { shared, _task: ctx.spawn(keeper.run()) }
    }

    /// Starts to extend a granted lock, which ends at `until`.
    pub fn start(&self, params: &SqlLeaseRowParams, now: Mono, grant: GrantId, until: i64) {
        self.shared.lock.set(Some(ExtendedLock { grant, due: now + params.lock_at_most.0 / 2, until }));
        self.shared.changed.raise();
    }

    /// Stops before a release. Waits for an extension in progress: the two exclude each other.
    pub async fn stop(&self) {
        self.shared.lock.set(None);
        self.shared.changed.raise();
        while self.shared.extending.get() {
            self.shared.extended.raised().await;
        }
    }
}

struct Keeper {
    params: SqlLeaseRowParams,
    ctx: Ctx<SqlMessage>,
    resource: ResourceId,
    database: Database,
    shared: Rc<Shared>,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let Some(lock) = self.shared.lock.get() else {
                self.shared.changed.raised().await;
                continue;
            };
            if let Either::First(()) = race(self.shared.changed.raised(), self.ctx.sleep_until(lock.due)).await {
                continue;
            }
            self.shared.extending.set(true);
            let next = self.extend(lock).await;
            if self.shared.lock.get() == Some(lock) {
                self.shared.lock.set(next);
            }
            self.shared.extending.set(false);
            self.shared.extended.raise();
        }
    }

    /// Extends the lock and returns it with the next time. It returns `None` if the lock had expired, the extension was
    /// refused, or an exception ended the scheduled task (`ScheduledExecutorService.scheduleAtFixedRate`). The user
    /// does not learn of it.
    async fn extend(&mut self, lock: ExtendedLock) -> Option<ExtendedLock> {
        let lasts = self.params.lock_at_most.0;
        let now = millis(self.ctx.wall());
        if lock.until < now {
            return None;
        }
        let until = now + lasts.as_millis() as i64;
        let times = match self.params.clock {
            Clock::Client => Times::Client { now, until },
            Clock::Database => Times::Database { lasts: lasts.as_millis() as i64 },
        };
        let lease = Lease { resource: self.resource, attempt: lock.grant, by: self.ctx.node().0, times };
        self.database.ready(self.ctx.mono() + POOL_TIMEOUT).await.ok()?;
        match self.database.run(SqlMessage::ExtendLease(lease), None).await {
            Ok(SqlMessage::Changed) => Some(ExtendedLock { due: lock.due + lasts / 2, until, ..lock }),
            _ => None,
        }
    }
}
