//! The watchdog: it gives the key its full time to live again, every third of it, for as long as the process lives.
//!
//! After `RedissonBaseLock.renewExpiration` (2022): each lock has its own timer, so that the first renewal comes a third
//! of the timeout after the grant. (`RenewalTask` of 2024 has one timer for all locks of a client, which renews a given
//! lock for the first time somewhat earlier.) The two differ in what a failed renewal does. The older code logs it and
//! schedules no other (issue #775 of 2017, and still in the copy of 2022): the switch `redisson-renewal-stops`. The newer
//! one goes on with its next round, as here without the switch.

use std::cell::Cell;
use std::rc::Rc;

use fencepost_sim::{ConnId, Task};

use super::client::{COMMAND_TIMEOUT, Settings};
use crate::history::GrantId;
use crate::history::ResourceId;
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// The renewal of a lock that is held.
pub struct Renewal {
    /// By how many acquires it is held.
    pub acquires: u32,
    state: Rc<Cell<State>>,
    _task: Task,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Goes,
    /// It found the lock lost, and told nobody.
    SawItGone,
    GaveUp,
}

impl Renewal {
    pub fn start(ctx: &Ctx<RedisMessage>, redis: ConnId, key: ResourceId, owner: GrantId, settings: Settings) -> Self {
        let state = Rc::new(Cell::new(State::Goes));
        let renew = RedisMessage::Renew { owner, ttl_ms: settings.watchdog_timeout.as_millis() as u64, key };
        let watchdog = watch(ctx.clone(), redis, renew, settings, state.clone());
        Renewal { acquires: 1, state, _task: ctx.spawn(watchdog) }
    }

    pub fn ended(&self) -> bool {
        self.state.get() != State::Goes
    }

    pub fn saw_it_gone(&self) -> bool {
        self.state.get() == State::SawItGone
    }
}

async fn watch(ctx: Ctx<RedisMessage>, redis: ConnId, renew: RedisMessage, settings: Settings, state: Rc<Cell<State>>) {
    loop {
        ctx.sleep(settings.watchdog_timeout / 3).await;
        match ctx.ask(redis, renew.clone(), COMMAND_TIMEOUT).await {
            Ok(RedisMessage::Done) => {}
            Ok(_) => return state.set(State::SawItGone),
            Err(_) if settings.renewal_stops => return state.set(State::GaveUp),
            Err(_) => {}
        }
    }
}
