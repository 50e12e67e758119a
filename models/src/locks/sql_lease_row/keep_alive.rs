//! ShedLock's `KeepAliveLockProvider`: extends a lock for `lock_at_most` every half of it, until it is released.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{Either, Mono, Signal, Task, race};

use super::params::{Clock, SqlLeaseRowParams};
use crate::history::GrantId;
use crate::history::ResourceId;
use crate::servers::sql::{Database, Lease, SqlMessage, Times, millis};
use crate::wire::Ctx;

/// What keeps a client's lock alive. It runs on a connection of its own, as from a pool.
pub(super) struct KeepAlive {
    shared: Rc<Shared>,
    _task: Task,
}

/// What the task and its client tell each other.
struct Shared {
    kept: Cell<Option<Kept>>,
    changed: Signal,
    extending: Cell<bool>,
    extended: Signal,
}

/// A lock that is kept alive.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kept {
    grant: GrantId,
    /// When it is extended next, …
    due: Mono,
    /// … unless it is over by then: until when it is locked, as the client reckons.
    until: i64,
}

impl KeepAlive {
    pub fn new(params: &SqlLeaseRowParams, ctx: &Ctx<SqlMessage>, resource: ResourceId) -> Self {
        let shared = Rc::new(Shared {
            kept: Cell::default(),
            changed: Signal::default(),
            extending: Cell::default(),
            extended: Signal::default(),
        });
        let database = Database::new(ctx.clone(), params.standby, params.socket_timeout.0);
        let keeper = Keeper { params: params.clone(), ctx: ctx.clone(), resource, database, shared: shared.clone() };
        KeepAlive { shared, _task: ctx.spawn(keeper.work()) }
    }

    /// The lock was granted, and is locked until then.
    pub fn keep(&self, params: &SqlLeaseRowParams, now: Mono, grant: GrantId, until: i64) {
        self.shared.kept.set(Some(Kept { grant, due: now + params.lock_at_most.0 / 2, until }));
        self.shared.changed.raise();
    }

    /// The lock is about to be released. An extension that is under way is waited for: the two exclude each other.
    pub async fn stop(&self) {
        self.shared.kept.set(None);
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
    async fn work(mut self) {
        loop {
            let Some(kept) = self.shared.kept.get() else {
                self.shared.changed.raised().await;
                continue;
            };
            if let Either::First(()) = race(self.shared.changed.raised(), self.ctx.sleep_until(kept.due)).await {
                continue;
            }
            self.shared.extending.set(true);
            let next = self.extend(kept).await;
            if self.shared.kept.get() == Some(kept) {
                self.shared.kept.set(next);
            }
            self.shared.extending.set(false);
            self.shared.extended.raise();
        }
    }

    /// Extends, and says when to do so again: never, if the lock had run out, was refused or threw an exception, which ends
    /// a scheduled task (`ScheduledExecutorService.scheduleAtFixedRate`). The user is not told.
    async fn extend(&mut self, kept: Kept) -> Option<Kept> {
        let lasts = self.params.lock_at_most.0;
        let now = millis(self.ctx.wall());
        if kept.until < now {
            return None;
        }
        let until = now + lasts.as_millis() as i64;
        let times = match self.params.clock {
            Clock::Client => Times::Client { now, until },
            Clock::Database => Times::Database { lasts: lasts.as_millis() as i64 },
        };
        let lease = Lease { resource: self.resource, attempt: kept.grant, by: self.ctx.node().0, times };
        self.database.ready(self.ctx.mono() + CONNECT_PATIENCE).await.ok()?;
        match self.database.run(SqlMessage::ExtendLease(lease), None).await {
            Ok(SqlMessage::Changed) => Some(Kept { due: kept.due + lasts / 2, until, ..kept }),
            _ => None,
        }
    }
}

/// How long a connection pool tries to give a connection: `connectionTimeout` of HikariCP, 30 s by default.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
