//! The server of one Redis instance without replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::{Caller, MonoDeadline, Service, Session, TimerId};

use super::{Aof, Applied, Channels, Forgotten, Keyspace, Persistence, RedisMessage, Truth};
use crate::history::Event;
use crate::wire::{Env, Wire};

/// A Redis server.
pub struct Redis {
    keys: Keyspace,
    aof: Aof,
    channels: Channels,
    forgotten: Forgotten,
    expiry_timer: Option<TimerId>,
    waiting: BTreeMap<u64, Caller>,
    next_wait: u64,
    started: bool,
    stays_out: Option<Duration>,
    out_until: Option<MonoDeadline>,
}

/// Tags of the server's timers; those from `WAIT` on each belong to a waiting caller.
const EXPIRE: u64 = 0;
const SYNC: u64 = 1;
const WAIT: u64 = 2;

impl Redis {
    /// An empty server.
    pub fn new(persistence: Persistence) -> Self {
        Redis {
            keys: Keyspace::default(),
            aof: Aof::new(persistence),
            channels: Channels::default(),
            forgotten: Forgotten::default(),
            expiry_timer: None,
            waiting: BTreeMap::new(),
            next_wait: WAIT,
            started: false,
            stays_out: None,
            out_until: None,
        }
    }

    /// The same server, whose operators let nobody in for so long after a crash (redis.io, "Distributed Locks with Redis",
    /// "Performance, crash recovery and fsync": delayed restarts).
    pub fn with_delayed_restart(self, delay: Option<Duration>) -> Self {
        Redis { stays_out: delay, ..self }
    }

    fn handle(&mut self, env: &mut Env<'_, RedisMessage>, from: Caller, message: RedisMessage) {
        let reply = match message {
            RedisMessage::Subscribe { key } => {
                self.channels.subscribe(key, from.session());
                RedisMessage::Done
            }
            RedisMessage::Unsubscribe { key } => {
                self.channels.unsubscribe(key, from.session());
                RedisMessage::Done
            }
            RedisMessage::Wait { replicas: 1.., timeout_ms } => return self.wait(env, from, timeout_ms),
            RedisMessage::Wait { .. } => RedisMessage::Number(0),
            command => {
                let applied = self.keys.apply(&command, env);
                self.carry_out(env, &applied);
                self.forgotten.settle(env, &command, &applied.truth);
                applied.reply
            }
        };
        env.reply(from, reply);
    }

    /// Does what a change of the data set demands: file, ground truth, subscribers, timer.
    fn carry_out(&mut self, env: &mut Env<'_, RedisMessage>, applied: &Applied) {
        if applied.records.is_empty() {
            return;
        }
        self.aof.append(&applied.records, &self.keys);
        for truth in &applied.truth {
            env.note(match *truth {
                Truth::Granted(grant) => Event::Granted { server: env.node(), grant },
                Truth::Ended(grant, cause) => Event::Ended { server: env.node(), grant, cause },
            });
        }
        if let Some(key) = applied.publish {
            self.channels.publish(env, key);
        }
        self.watch_expiry(env);
    }

    /// There are no replicas to wait for: the time will run out.
    fn wait(&mut self, env: &mut Env<'_, RedisMessage>, from: Caller, timeout_ms: u64) {
        if timeout_ms > 0 {
            env.set_timer(Duration::from_millis(timeout_ms), self.next_wait);
            self.waiting.insert(self.next_wait, from);
            self.next_wait += 1;
        }
    }

    /// Looks again when the next deadline will be reached, if the wall clock goes on as it does now.
    fn watch_expiry(&mut self, env: &mut Env<'_, RedisMessage>) {
        if let Some(timer) = self.expiry_timer.take() {
            env.cancel_timer(timer);
        }
        self.expiry_timer = self.keys.next_expiry().map(|deadline| env.set_timer(deadline.at - env.wall(), EXPIRE));
    }
}

impl Service<Wire<RedisMessage>, Event> for Redis {
    fn on_start(&mut self, env: &mut Env<'_, RedisMessage>) {
        if std::mem::replace(&mut self.started, true) {
            self.out_until = self.stays_out.map(|delay| env.mono_deadline(delay));
        }
        self.keys = self.aof.load();
        self.watch_expiry(env);
        if self.aof.syncs_every_second() {
            env.set_timer(Duration::from_secs(1), SYNC);
        }
    }

    fn on_message(&mut self, env: &mut Env<'_, RedisMessage>, from: Caller, message: Wire<RedisMessage>) {
        let Wire::Lock(message) = message else { return };
        if self.out_until.is_some_and(|until| !env.mono_passed(until)) {
            return env.close(from.session());
        }
        self.out_until = None;
        self.handle(env, from, message);
    }

    fn on_timer(&mut self, env: &mut Env<'_, RedisMessage>, tag: u64) {
        match tag {
            EXPIRE => {
                self.expiry_timer = None;
                let applied = self.keys.expire(env);
                self.carry_out(env, &applied);
                // What is still there, since the clock stepped back, waits for what is missing.
                self.watch_expiry(env);
            }
            SYNC => {
                self.aof.sync(&self.keys);
                env.set_timer(Duration::from_secs(1), SYNC);
            }
            wait => {
                if let Some(caller) = self.waiting.remove(&wait) {
                    env.reply(caller, RedisMessage::Number(0));
                }
            }
        }
    }

    fn on_disconnect(&mut self, _: &mut Env<'_, RedisMessage>, session: Session) {
        self.channels.drop_session(session);
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        self.aof.disks(each);
    }

    fn on_crash(&mut self, env: &mut Env<'_, RedisMessage>, disk: DiskFate) {
        self.aof.crash(disk);
        let lost = std::mem::take(&mut self.keys);
        self.forgotten.compare(env, &lost, &self.aof.load());
        (self.channels, self.expiry_timer, self.out_until) = (Channels::default(), None, None);
        self.waiting.clear();
    }
}
