//! The server of one Sentinel.

use std::time::Duration;

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::stream::Stream;
use fencepost_sim::time::nanos;
use fencepost_sim::{Caller, NodeId, Service, Wall};

use super::election::Election;
use super::failover::Failover;
use super::instance::Instance;
use super::{
    Info, MAX_DESYNC, PING_PERIOD, PUBLISH_PERIOD, SentinelConfig, SentinelMessage, TILT_PERIOD, TILT_TRIGGER,
};
use crate::history::Event;
use crate::servers::redis::RedisMessage;
use crate::wire::Wire;

pub(super) type Env<'a> = crate::wire::Env<'a, RedisMessage>;

/// A Sentinel.
pub struct Sentinel {
    pub(super) config: SentinelConfig,
    /// `None` before the first start.
    pub(super) known: Option<Known>,
}

/// The state of a Sentinel.
pub(super) struct Known {
    pub instances: Vec<Instance>,
    pub election: Election,
    pub o_down: bool,
    pub failover: Option<Failover>,
    /// The time of its last attempt at a failover, or of its vote for another's (`failover_start_time`).
    pub tried: Option<Wall>,
    tilt: Option<Wall>,
    said_hello: Option<Wall>,
    /// The time of the last tick, and the interval planned until the next.
    ticked: Option<(Wall, Duration)>,
    stream: Stream,
}

/// The tick interval while there is nothing to decide: short enough to send every ping in time.
const IDLE_TICK: Duration = Duration::from_millis(525);

/// The maximal tick interval otherwise (`CONFIG_DEFAULT_HZ` 10).
const TICK: Duration = Duration::from_millis(100);

impl Sentinel {
    /// A Sentinel that has not started.
    pub fn new(config: SentinelConfig) -> Self {
        Sentinel { config, known: None }
    }

    fn tick(&mut self, env: &mut Env<'_>) {
        let now = env.wall();
        let Sentinel { config, known: Some(known) } = self else { return };
        known.check_tilt(now);
        known.send_periodically(env, config, now);
        if !known.tilted(now) {
            self.decide(env, now);
        }
        self.set_timer(env, now);
    }

    fn decide(&mut self, env: &mut Env<'_>, now: Wall) {
        let Sentinel { config, known: Some(known) } = self else { return };
        let master = known.election.conf.master;
        for instance in &mut known.instances {
            instance.check_down(now, config.down_after, instance.node == master);
        }
        let down = known.master().down;
        known.o_down = down && known.election.find_down() + 1 >= config.quorum;
        if known.start_failover_if_needed(config, now) {
            known.ask(env, now, true);
        }
        known.fail_over(env, config, now);
        known.ask(env, now, false);
    }

    fn set_timer(&mut self, env: &mut Env<'_>, now: Wall) {
        let Sentinel { config, known: Some(known) } = self else { return };
        let after = if known.needs_full_rate(config, now) {
            let hz = 10 + known.stream.between(0, 9) as u32;
            Duration::from_secs(1) / hz
        } else {
            IDLE_TICK
        };
        known.ticked = Some((now, after));
        env.set_timer(after, 0);
    }
}

impl Known {
    fn new(env: &Env<'_>, config: &SentinelConfig) -> Self {
        let redis = config.redis.iter().map(|name| env.find(name));
        let others = config.sentinels.iter().map(|name| env.find(name)).filter(|node| *node != env.node());
        let master = env.find(&config.redis[0]);
        Known {
            instances: redis.map(|node| Instance::new(node, node == master, env.wall())).collect(),
            election: Election::new(env.node(), others, master),
            o_down: false,
            failover: None,
            tried: None,
            tilt: None,
            said_hello: None,
            ticked: None,
            stream: env.stream("sentinel"),
        }
    }

    pub fn master(&self) -> &Instance {
        let master = self.election.conf.master;
        self.instances.iter().find(|instance| instance.node == master).expect("the master is one of the servers")
    }

    /// The address of the master for clients and other Sentinels (`sentinelGetCurrentMasterAddress`).
    fn current_master(&self) -> NodeId {
        let promoted = self.failover.as_ref().and_then(Failover::done_for);
        promoted.unwrap_or(self.election.conf.master)
    }

    /// Resets the knowledge of all servers for a new master (`sentinelResetMasterAndChangeAddress`).
    pub fn switch_master(&mut self, master: NodeId, now: Wall) {
        self.election.conf.master = master;
        self.election.save();
        self.reset(now);
    }

    fn reset(&mut self, now: Wall) {
        let master = self.election.conf.master;
        for instance in &mut self.instances {
            *instance = Instance::new(instance.node, instance.node == master, now);
        }
        (self.o_down, self.failover, self.tried) = (false, None, None);
        self.election.clear_answers();
    }

    /// `sentinelCheckTiltCondition`: compares the time between two ticks with the planned interval.
    fn check_tilt(&mut self, now: Wall) {
        let Some((then, planned)) = self.ticked else { return };
        let skew = now.0.saturating_sub((then + planned).0);
        let (early, late) = (nanos(TICK) as i64, nanos(TILT_TRIGGER - TICK) as i64);
        if skew < -early || skew > late {
            self.tilt = Some(now);
        }
    }

    fn tilted(&mut self, now: Wall) -> bool {
        self.tilt = self.tilt.filter(|since| now - *since < TILT_PERIOD);
        self.tilt.is_some()
    }

    fn needs_full_rate(&self, config: &SentinelConfig, now: Wall) -> bool {
        let soon = config.down_after.saturating_sub(PING_PERIOD);
        let nearly_down = |instance: &Instance| !instance.down && instance.silent_for(now) > soon;
        self.failover.is_some() || self.master().down || self.instances.iter().any(nearly_down)
    }

    fn send_periodically(&mut self, env: &mut Env<'_>, config: &SentinelConfig, now: Wall) {
        let often = self.o_down || self.failover.is_some();
        let master = self.election.conf.master;
        for instance in &mut self.instances {
            if instance.info_due(now, often && instance.node != master) {
                env.send(instance.node, SentinelMessage::Info);
            }
            if instance.ping_due(now, config.down_after) {
                env.send(instance.node, SentinelMessage::Ping);
            }
        }
        if self.said_hello.is_none_or(|at| now - at > PUBLISH_PERIOD) {
            self.say_hello(env, now);
        }
    }

    pub fn say_hello(&mut self, env: &mut Env<'_>, now: Wall) {
        self.said_hello = Some(now);
        let master = self.current_master();
        let (epoch, config_epoch) = (self.election.conf.epoch, self.election.conf.config_epoch);
        for node in self.election.others() {
            env.send(node, SentinelMessage::Hello { epoch, master, config_epoch });
        }
    }

    /// Asks the other Sentinels whether the master is down, and for their votes during an election
    /// (`sentinelAskMasterStateToOtherSentinels`).
    fn ask(&mut self, env: &mut Env<'_>, now: Wall, at_once: bool) {
        if !self.master().down {
            return;
        }
        let (master, epoch) = (self.election.conf.master, self.election.conf.epoch);
        let seeks_vote = self.failover.is_some();
        for node in self.election.due_questions(now, at_once) {
            env.send(node, SentinelMessage::IsMasterDown { master, epoch, seeks_vote });
        }
    }

    fn is_master_down(&mut self, env: &mut Env<'_>, from: NodeId, master: NodeId, epoch: u64, seeks_vote: bool) {
        let now = env.wall();
        let known = master == self.election.conf.master;
        let down = known && self.tilt.is_none() && self.master().down;
        let vote = (known && seeks_vote).then(|| {
            if self.election.vote(epoch, from) {
                self.tried = Some(now + self.desync());
            }
            self.election.conf.vote
        });
        env.send(from, SentinelMessage::MasterDown { down, vote: vote.flatten() });
    }

    /// `sentinelProcessHelloMessage`.
    fn on_hello(&mut self, now: Wall, epoch: u64, master: NodeId, config_epoch: u64) {
        self.election.observe_epoch(epoch);
        if config_epoch > self.election.conf.config_epoch {
            self.election.conf.config_epoch = config_epoch;
            self.election.save();
            if master != self.election.conf.master {
                self.switch_master(master, now);
            }
        }
    }

    /// `sentinelRefreshInstanceInfo`.
    fn refresh(&mut self, env: &mut Env<'_>, config: &SentinelConfig, from: NodeId, info: Info) {
        let now = env.wall();
        let sane = !self.o_down && self.master().looks_sane(now);
        let master = self.election.conf.master;
        let Some(instance) = self.instances.iter_mut().find(|instance| instance.node == from) else { return };
        instance.learn(now, info);
        let promoted = self.failover.as_ref().and_then(Failover::promoted);
        if self.tilt.is_some() || from == master {
            return;
        }
        let wrong_role = instance.claims_mastership(now) && promoted != Some(from);
        let astray = wrong_role || instance.follows_wrong_master(now, master, config.failover_timeout);
        if let Some(promoted) = promoted {
            instance.advance(promoted);
        }
        if instance.says_master && promoted == Some(from) {
            self.on_promotion(env, now);
        } else if sane && astray {
            env.send(from, SentinelMessage::ReplicaOf { master: Some(master) });
        }
    }

    pub fn desync(&mut self) -> Duration {
        Duration::from_nanos(self.stream.between(0, nanos(MAX_DESYNC) - 1))
    }
}

impl Service<Wire<RedisMessage>, Event> for Sentinel {
    fn on_start(&mut self, env: &mut Env<'_>) {
        let known = self.known.get_or_insert_with(|| Known::new(env, &self.config));
        known.reset(env.wall());
        self.tick(env);
    }

    fn on_message(&mut self, env: &mut Env<'_>, from: Caller, message: Wire<RedisMessage>) {
        if let (Wire::Lock(RedisMessage::Sentinel(SentinelMessage::GetMaster)), Some(known)) = (message, &self.known) {
            env.reply(from, SentinelMessage::Master { node: known.current_master() });
        }
    }

    fn on_peer(&mut self, env: &mut Env<'_>, from: NodeId, message: Wire<RedisMessage>) {
        let Wire::Lock(RedisMessage::Sentinel(message)) = message else { return };
        let Sentinel { config, known: Some(known) } = self else { return };
        let now = env.wall();
        match message {
            SentinelMessage::Pong => {
                let instance = known.instances.iter_mut().find(|instance| instance.node == from);
                instance.into_iter().for_each(|instance| instance.pong(now));
            }
            SentinelMessage::InfoIs(info) => known.refresh(env, config, from, info),
            SentinelMessage::IsMasterDown { master, epoch, seeks_vote } => {
                known.is_master_down(env, from, master, epoch, seeks_vote);
            }
            SentinelMessage::MasterDown { down, vote } => known.election.answer(now, from, down, vote),
            SentinelMessage::Hello { epoch, master, config_epoch } => known.on_hello(now, epoch, master, config_epoch),
            _ => {}
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_>, _: u64) {
        self.tick(env);
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        self.known.iter_mut().for_each(|known| each(known.election.disk()));
    }

    fn on_crash(&mut self, env: &mut Env<'_>, disk: DiskFate) {
        let first = env.find(&self.config.redis[0]);
        if let Some(known) = &mut self.known {
            known.election.crash(disk, first);
            (known.tilt, known.said_hello, known.ticked) = (None, None, None);
        }
    }
}
