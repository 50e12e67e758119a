//! `using()` of node-redlock 5 (mike-marcacci/node-redlock, src/index.ts at v5.0.0-beta.2): it extends the lock while the
//! caller's routine runs, and aborts the caller's signal if it cannot.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::stream::Stream;
use fencepost_sim::units::Dist;
use fencepost_sim::{Task, Wall};

use super::RedlockParams;
use super::masters::{Masters, Until};
use crate::history::GrantId;
use crate::servers::redis::RedisMessage;

/// `retryJitter`: 100 ms by default, with a `retryDelay` of 200 ms.
pub(super) const JITTER_SHARE: u32 = 2;

/// The interval at which a release looks whether a pending extension has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A client's operations on a quorum: `Redlock._execute`.
#[derive(Clone)]
pub(super) struct Executor {
    pub masters: Masters,
    pub ttl: Duration,
    drift: Duration,
    attempts: u32,
    retry_delay: Duration,
    threshold: Duration,
    start_before_retries: bool,
    pub delays: Stream,
}

impl Executor {
    pub fn new(masters: Masters, params: &RedlockParams, delays: Stream) -> Self {
        Executor {
            masters,
            ttl: params.ttl.0,
            drift: params.drift(),
            attempts: params.retry,
            retry_delay: params.retry_delay.0,
            threshold: params.automatic_extension_threshold.0,
            start_before_retries: params.expiry_before_retries,
            delays,
        }
    }

    /// Tries until a quorum agrees. Returns the start of the lock's time by `Date.now()`, or `None` if all attempts failed.
    /// There is no timeout: if neither a quorum of replies nor a quorum of errors comes, it waits.
    pub async fn execute(&mut self, script: &RedisMessage, attempts: u32, step: Option<&'static str>) -> Option<Wall> {
        let begun = self.masters.ctx.wall();
        for attempt in 0..attempts {
            let started = self.masters.ctx.wall();
            let step = step.filter(|_| attempt == 0);
            let votes = self.masters.ask_at_once(script, step, Until::Quorum).await;
            if votes.agreed >= self.masters.quorum() {
                return Some(if self.start_before_retries { begun } else { started });
            }
            if attempt + 1 < attempts {
                let jitter = self.retry_delay / JITTER_SHARE;
                let delay = Dist::Uniform(self.retry_delay - jitter, self.retry_delay + jitter).draw(&mut self.delays);
                self.masters.ctx.sleep(delay).await;
            }
        }
        None
    }

    /// `acquire()`. It does not check that the lock is still valid when a quorum has agreed.
    pub async fn acquire(&mut self, id: GrantId) -> Option<Wall> {
        let set = RedisMessage::SetNxPx { value: id, ttl_ms: self.ttl.as_millis() as u64, key: self.masters.key };
        match self.execute(&set, self.attempts, Some("acquire-sent")).await {
            Some(start) => Some(self.expiration(start)),
            None => {
                self.execute(&self.unlock(id), 1, None).await;
                None
            }
        }
    }

    /// `release()`, with as many attempts as an acquire. It fails if no quorum still had the key.
    pub async fn release(&mut self, id: GrantId) -> bool {
        self.execute(&self.unlock(id), self.attempts, Some("release-sent")).await.is_some()
    }

    fn unlock(&self, id: GrantId) -> RedisMessage {
        RedisMessage::DelIfEqual { value: id, key: self.masters.key }
    }

    fn expiration(&self, start: Wall) -> Wall {
        start + self.ttl.saturating_sub(self.drift)
    }

    /// `extend()`: fails at once if the lock has expired by `Date.now()`.
    async fn extend(&mut self, id: GrantId, expiration: Wall) -> Option<Wall> {
        if expiration < self.masters.ctx.wall() {
            return None;
        }
        let ttl_ms = self.ttl.as_millis() as u64;
        let extend = RedisMessage::ExtendIfEqual { value: id, ttl_ms, key: self.masters.key };
        let start = self.execute(&extend, self.attempts, None).await?;
        Some(self.expiration(start))
    }
}

/// The extension of a lock, until it is dropped.
pub(super) struct Using {
    pub grant: GrantId,
    aborted: Rc<Cell<bool>>,
    /// Whether an extension is under way.
    extending: Rc<Cell<bool>>,
    _task: Task,
}

impl Using {
    pub fn start(mut executor: Executor, grant: GrantId, expiration: Wall) -> Self {
        let (aborted, extending) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let (signal, busy) = (aborted.clone(), extending.clone());
        let ctx = executor.masters.ctx.clone();
        let task = ctx.spawn(async move {
            run_until_failure(&mut executor, grant, expiration, &busy).await;
            signal.set(true);
            executor.masters.ctx.report_lock_lost(grant);
        });
        Using { grant, aborted, extending, _task: task }
    }

    /// `signal.aborted`.
    pub fn aborted(&self) -> bool {
        self.aborted.get()
    }

    /// Waits for an extension that is under way, as `using()` does before it releases.
    pub async fn finish(self, masters: &Masters) {
        while self.extending.get() {
            masters.ctx.sleep(LOOK).await;
        }
    }
}

/// `queue()` and `extend()` within `using()`: after a failure it tries again while the lock has not expired by
/// `Date.now()`. No timer ends the lock if an extension never ends.
async fn run_until_failure(executor: &mut Executor, grant: GrantId, mut expiration: Wall, extending: &Cell<bool>) {
    let ctx = executor.masters.ctx.clone();
    loop {
        ctx.sleep((expiration - ctx.wall()).saturating_sub(executor.threshold)).await;
        extending.set(true);
        loop {
            if let Some(longer) = executor.extend(grant, expiration).await {
                expiration = longer;
                break;
            }
            if expiration <= ctx.wall() {
                return extending.set(false);
            }
            ctx.sleep(Duration::from_millis(1)).await;
        }
        extending.set(false);
    }
}
