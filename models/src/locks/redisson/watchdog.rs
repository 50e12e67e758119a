//! The watchdog: it restarts the key's time to live every third of it, as long as the process lives.
//!
//! After redisson/redisson 4.7, renewal/LockTask.java and RenewalTask.java. Redisson repeats a renewal without a reply
//! four times (`syncedEval` with `retry`, then `RedisExecutor.scheduleResponseTimeout`). If all fail, it logs an error
//! and goes on with its next round. With the switch `redisson-renewal-stops`, it stops for good instead, as
//! `RedissonBaseLock.renewExpiration` did until 3.43.0.

use std::cell::Cell;
use std::rc::Rc;

use fencepost_sim::Task;

use super::settings::Settings;
use crate::history::{GrantId, ResourceId};
use crate::locks::redis_driver::{Driver, REDISSON};
use crate::servers::redis::RedisMessage;

/// The renewal of a held lock.
pub struct Renewal {
    /// The number of acquires that hold it.
    pub acquires: u32,
    ended: Rc<Cell<bool>>,
    _task: Task,
}

impl Renewal {
    pub fn start(redis: Driver, key: ResourceId, owner: GrantId, settings: Settings) -> Self {
        let ended = Rc::new(Cell::new(false));
        let renew = RedisMessage::Renew { owner, ttl_ms: settings.watchdog_timeout.as_millis() as u64, key };
        let ctx = redis.ctx.clone();
        let has_ended = ended.clone();
        let task = ctx.spawn(async move {
            renew_until_gone(redis, renew, settings).await;
            has_ended.set(true);
        });
        Renewal { acquires: 1, ended, _task: task }
    }

    pub fn ended(&self) -> bool {
        self.ended.get()
    }
}

/// Returns when the lock has expired. The program gets no notice.
async fn renew_until_gone(mut redis: Driver, renew: RedisMessage, settings: Settings) {
    loop {
        redis.ctx.sleep(settings.watchdog_timeout / 3).await;
        match redis.ask(&renew, &REDISSON, None).await {
            Ok(answer) if !matches!(answer.reply, RedisMessage::Done) => return,
            Err(_) if settings.renewal_stops => return,
            Ok(_) | Err(_) => {}
        }
    }
}
