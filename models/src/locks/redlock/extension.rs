//! Automatic extension of the lock of the page, for clients that choose it (parameter `extend`): the lock is extended on a
//! majority when little of its validity is left. After a failure it tries again until the validity is over, and then
//! raises the caller's abort signal. A lock without validity is not extended.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{MonoDeadline, Task};

use super::RedlockParams;
use super::masters::{Masters, Until};
use crate::history::GrantId;
use crate::servers::redis::RedisMessage;

/// The minimal pause between two attempts, whatever the parameters say.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// The extension of a lock, until it is dropped.
pub(super) struct Extension {
    pub grant: GrantId,
    aborted: Rc<Cell<bool>>,
    _task: Task,
}

impl Extension {
    pub fn start(
        masters: &Masters,
        params: &RedlockParams,
        left: Duration,
        grant: GrantId,
        valid: MonoDeadline,
    ) -> Self {
        let aborted = Rc::new(Cell::new(false));
        let mut extender = Extender {
            masters: masters.clone(),
            ttl: params.ttl.0,
            validity: params.validity(),
            pause: params.retry_delay.0.max(SHORTEST_PAUSE),
            left,
        };
        let signal = aborted.clone();
        let task = masters.ctx.spawn(async move {
            extender.run_until_failure(grant, valid).await;
            signal.set(true);
            extender.masters.ctx.report_lock_lost(grant);
        });
        Extension { grant, aborted, _task: task }
    }

    /// Whether the abort signal was raised.
    pub fn aborted(&self) -> bool {
        self.aborted.get()
    }
}

struct Extender {
    masters: Masters,
    ttl: Duration,
    validity: Duration,
    pause: Duration,
    left: Duration,
}

impl Extender {
    async fn run_until_failure(&mut self, grant: GrantId, mut valid: MonoDeadline) {
        let ctx = self.masters.ctx.clone();
        loop {
            ctx.sleep((valid.at - ctx.mono()).saturating_sub(self.left)).await;
            loop {
                if ctx.passed(valid) {
                    return;
                }
                if let Some(longer) = self.extend(grant).await {
                    valid = longer;
                    break;
                }
                ctx.sleep(self.pause).await;
            }
        }
    }

    async fn extend(&mut self, grant: GrantId) -> Option<MonoDeadline> {
        let asked = self.masters.ctx.mono();
        let ttl_ms = self.ttl.as_millis() as u64;
        let extend = RedisMessage::ExtendIfEqual { value: grant, ttl_ms, key: self.masters.key };
        let votes = self.masters.ask_at_once(&extend, None, Until::All).await;
        (votes.agreed >= self.masters.quorum()).then(|| self.masters.ctx.deadline(asked, self.validity))
    }
}
