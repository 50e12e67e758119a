//! One Redis server, as far as locks use it: one key with an expiry.
//!
//! What decides here, from Redis' own documentation and source:
//! - A key's expiry is an absolute time of the server's wall clock ("Keys expiring information is stored as absolute Unix
//!   timestamps", redis.io/commands/expire), so that it goes on while the server is down and follows every clock step.
//!   The pattern's page names wall-clock shifts as a way to two holders (redis.io, "Distributed Locks with Redis").
//! - Expired keys are found when they are looked at, and by a background cycle (same page, "How Redis expires keys").
//! - Persistence is off for commands by default (`appendonly no` in redis.conf); `everysec` may lose a second.

use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate};
use fencepost_sim::{Caller, Service, TimerId, WallDeadline};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::{Cause, Event, GrantId};
use crate::wire::{Env, Wire};

/// How a server makes its commands durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// Not at all (`appendonly no`, the default): a restarted server is empty.
    #[default]
    None,
    /// The append-only file is synced once a second (`appendfsync everysec`).
    Everysec,
    /// The append-only file is synced before each reply (`appendfsync always`).
    Always,
}

/// What Redis and its clients say to each other. The lock's value is the attempt that set it: unique across all clients
/// and requests, as the pattern demands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum RedisMessage {
    /// `SET lock value NX PX ttl`.
    SetNxPx { value: GrantId, ttl_ms: u64 },
    /// `DEL lock`, on behalf of a grant that the server does not get to see.
    Del { on_behalf: GrantId },
    /// The script that deletes the lock if it still has this value.
    DelIfEqual { value: GrantId },
    /// `OK`, or the number of keys deleted.
    Done,
    /// Null, or no key deleted.
    Nothing,
}

/// A Redis server.
pub struct Redis {
    persistence: Persistence,
    lock: Option<Entry>,
    expiry_timer: Option<TimerId>,
    log: Disk<Option<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    value: GrantId,
    expires: WallDeadline,
}

/// Tags of the server's timers.
const EXPIRE: u64 = 0;
const SYNC: u64 = 1;

impl Redis {
    /// An empty server.
    pub fn new(persistence: Persistence) -> Self {
        Redis { persistence, lock: None, expiry_timer: None, log: Disk::default() }
    }

    fn handle(&mut self, env: &mut Env<'_, RedisMessage>, message: RedisMessage) -> RedisMessage {
        self.expire(env);
        match message {
            RedisMessage::SetNxPx { .. } if self.lock.is_some() => RedisMessage::Nothing,
            RedisMessage::SetNxPx { value, ttl_ms } => {
                let ttl = Duration::from_millis(ttl_ms);
                self.set(env, Some(Entry { value, expires: env.wall_deadline(ttl) }));
                env.note(Event::Granted { server: env.node(), grant: value });
                RedisMessage::Done
            }
            RedisMessage::DelIfEqual { value } if self.lock.is_none_or(|entry| entry.value != value) => {
                RedisMessage::Nothing
            }
            RedisMessage::Del { on_behalf: by } | RedisMessage::DelIfEqual { value: by } => {
                self.end(env, Cause::Released(by))
            }
            RedisMessage::Done | RedisMessage::Nothing => RedisMessage::Nothing,
        }
    }

    fn end(&mut self, env: &mut Env<'_, RedisMessage>, cause: Cause) -> RedisMessage {
        let Some(entry) = self.lock else { return RedisMessage::Nothing };
        self.set(env, None);
        env.note(Event::Ended { server: env.node(), grant: entry.value, cause });
        RedisMessage::Done
    }

    fn expire(&mut self, env: &mut Env<'_, RedisMessage>) {
        if let Some(entry) = self.lock
            && env.wall_passed(entry.expires)
        {
            self.end(env, Cause::Expired);
        }
    }

    fn set(&mut self, env: &mut Env<'_, RedisMessage>, lock: Option<Entry>) {
        self.lock = lock;
        match self.persistence {
            Persistence::None => {}
            Persistence::Everysec => self.log.write(lock),
            Persistence::Always => self.log.compact(lock),
        }
        self.watch_expiry(env);
    }

    /// Looks again when the deadline will be reached, if the wall clock goes on as it does now.
    fn watch_expiry(&mut self, env: &mut Env<'_, RedisMessage>) {
        if let Some(timer) = self.expiry_timer.take() {
            env.cancel_timer(timer);
        }
        self.expiry_timer = self.lock.map(|entry| env.set_timer(entry.expires.at - env.wall(), EXPIRE));
    }
}

impl Service<Wire<RedisMessage>, Event> for Redis {
    fn on_start(&mut self, env: &mut Env<'_, RedisMessage>) {
        self.lock = self.log.records().last().copied().flatten();
        self.watch_expiry(env);
        if self.persistence == Persistence::Everysec {
            env.set_timer(Duration::from_secs(1), SYNC);
        }
    }

    fn on_message(&mut self, env: &mut Env<'_, RedisMessage>, from: Caller, message: Wire<RedisMessage>) {
        let Wire::Lock(message) = message else { return };
        let reply = self.handle(env, message);
        env.reply(from, reply);
    }

    fn on_timer(&mut self, env: &mut Env<'_, RedisMessage>, tag: u64) {
        if tag == SYNC {
            self.log.compact(self.lock);
            env.set_timer(Duration::from_secs(1), SYNC);
            return;
        }
        self.expiry_timer = None;
        self.expire(env);
        // Still there, since the clock stepped back: wait for what is missing.
        self.watch_expiry(env);
    }

    fn on_crash(&mut self, env: &mut Env<'_, RedisMessage>, disk: DiskFate) {
        self.log.crash(disk);
        let survivor = self.log.records().last().copied().flatten();
        if let Some(lost) = self.lock.filter(|lock| survivor.is_none_or(|entry| entry.value != lock.value)) {
            // The server forgot the grant, but it was given until its deadline: so long its Record goes on.
            let left = lost.expires.at - env.wall();
            env.note_after(left, Event::Ended { server: env.node(), grant: lost.value, cause: Cause::Expired });
        }
        (self.lock, self.expiry_timer) = (None, None);
    }
}
