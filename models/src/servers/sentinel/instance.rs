//! What a Sentinel knows of one Redis server.

use std::time::Duration;

use fencepost_sim::{NodeId, Wall};

use super::{INFO_PERIOD, Info, PING_PERIOD, PUBLISH_PERIOD, SLAVE_RECONF_TIMEOUT};

/// A Redis server, as a Sentinel sees it (`sentinelRedisInstance`).
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub node: NodeId,
    pinged: Wall,
    /// When the first ping was sent that was not answered since (`act_ping_time`).
    unanswered: Option<Wall>,
    ponged: Wall,
    asked_info: Option<Wall>,
    info: Option<(Wall, Info)>,
    /// It says that it is a master, and since when it says what it says.
    pub says_master: bool,
    role_since: Wall,
    /// Since when it has followed the master that it follows.
    following_since: Wall,
    /// `S_DOWN`.
    pub down: bool,
    /// When it last went down.
    down_at: Option<Wall>,
    pub reconf: Reconf,
}

/// How far a replica is on its way to another master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconf {
    No,
    Sent(Wall),
    InProgress,
    Done,
}

/// An answer that is older than this makes no candidate (`sentinelSelectSlave`: five pings).
const FRESH: Duration = Duration::from_secs(5);

impl Instance {
    /// One of which nothing is known yet: it counts as pinged, so that it is down if it never answers.
    pub fn new(node: NodeId, master: bool, now: Wall) -> Self {
        Instance {
            node,
            pinged: now,
            unanswered: Some(now),
            ponged: now,
            asked_info: None,
            info: None,
            says_master: master,
            role_since: now,
            following_since: now,
            down: false,
            down_at: None,
            reconf: Reconf::No,
        }
    }

    /// Whether it is time for an `INFO`. `often` is for replicas of a master that is down or being replaced.
    pub fn info_due(&mut self, now: Wall, often: bool) -> bool {
        let link_down = self.info().is_some_and(|info| info.link_down_for.is_some());
        let period = if often || link_down { PING_PERIOD } else { INFO_PERIOD };
        let due = self.info.is_none_or(|(at, _)| now - at > period)
            && self.asked_info.is_none_or(|at| now - at >= PING_PERIOD || now < at);
        if due {
            self.asked_info = Some(now);
        }
        due
    }

    /// Whether it is time for a `PING`.
    pub fn ping_due(&mut self, now: Wall, down_after: Duration) -> bool {
        let period = PING_PERIOD.min(down_after);
        let due = now - self.ponged > period && now - self.pinged > period / 2;
        if due {
            self.pinged = now;
            self.unanswered.get_or_insert(now);
        }
        due
    }

    pub fn pong(&mut self, now: Wall) {
        (self.unanswered, self.ponged) = (None, now);
    }

    /// What it last said of itself.
    pub fn info(&self) -> Option<&Info> {
        self.info.as_ref().map(|(_, info)| info)
    }

    pub fn learn(&mut self, now: Wall, info: Info) {
        let (known, says_master) = (self.info().and_then(|info| info.replica_of), info.replica_of.is_none());
        if says_master != self.says_master {
            (self.says_master, self.role_since) = (says_master, now);
            self.following_since = now;
        } else if info.replica_of != known {
            self.following_since = now;
        }
        self.info = Some((now, info));
    }

    /// Since when it has not answered.
    pub fn silent_for(&self, now: Wall) -> Duration {
        self.unanswered.map_or(Duration::ZERO, |since| now - since)
    }

    /// `sentinelCheckSubjectivelyDown`. A master that says it is a replica is down as well, after a while.
    pub fn check_down(&mut self, now: Wall, down_after: Duration, master: bool) {
        let stepped_down = master && !self.says_master && now - self.role_since > down_after + 2 * INFO_PERIOD;
        let down = self.silent_for(now) > down_after || stepped_down;
        if down && !self.down {
            self.down_at = Some(now);
        }
        self.down = down;
    }

    /// Whether it can be told anything.
    pub fn answers(&self, now: Wall) -> bool {
        !self.down && now - self.ponged <= FRESH
    }

    /// How good a candidate it is, the least being the best, or nothing if it is none (`sentinelSelectSlave`). All
    /// priorities are equal here.
    pub fn candidate(&self, now: Wall, master: &Instance, down_after: Duration) -> Option<(u64, u64)> {
        let (at, info) = self.info?;
        let oldest_info = if master.down { FRESH } else { 3 * INFO_PERIOD };
        let master_down_for = master.down_at.filter(|_| master.down).map_or(Duration::ZERO, |at| now - at);
        let behind = info.link_down_for.is_some_and(|since| since > master_down_for + 10 * down_after);
        (self.answers(now) && now - at <= oldest_info && !behind).then_some((u64::MAX - info.offset, info.run_id))
    }

    /// `sentinelMasterLooksSane`, as far as it concerns this master alone.
    pub fn looks_sane(&self, now: Wall) -> bool {
        self.says_master && !self.down && self.info.is_some_and(|(at, _)| now - at < 2 * INFO_PERIOD)
    }

    /// It is a replica that has called itself a master for so long that no news of a failover can still be on its way.
    pub fn usurps(&self, now: Wall) -> bool {
        let wait = 4 * PUBLISH_PERIOD;
        self.says_master && self.not_down_for(now, wait) && now - self.role_since > wait
    }

    /// It is a replica that has followed another master for so long.
    pub fn strays(&self, now: Wall, from: NodeId, wait: Duration) -> bool {
        let elsewhere = self.info().is_some_and(|info| info.replica_of.is_some_and(|master| master != from));
        elsewhere && self.not_down_for(now, wait) && now - self.following_since > wait
    }

    fn not_down_for(&self, now: Wall, wait: Duration) -> bool {
        self.down_at.is_none_or(|at| now - at > wait)
    }

    /// Goes on on its way to another master, as what it said lately shows.
    pub fn advance(&mut self, promoted: NodeId) {
        let Some(&Info { replica_of, link_down_for, .. }) = self.info() else { return };
        if matches!(self.reconf, Reconf::Sent(_)) && replica_of == Some(promoted) {
            self.reconf = Reconf::InProgress;
        }
        if self.reconf == Reconf::InProgress && link_down_for.is_none() {
            self.reconf = Reconf::Done;
        }
    }

    /// Gives up waiting for it to take up the order.
    pub fn give_up_late(&mut self, now: Wall) {
        if matches!(self.reconf, Reconf::Sent(at) if now - at > SLAVE_RECONF_TIMEOUT) {
            self.reconf = Reconf::Done;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN_AFTER: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Wall {
        Wall(seconds * 1_000_000_000)
    }

    fn server(master: bool) -> Instance {
        let mut server = Instance::new(NodeId(0), master, at(0));
        server.pong(at(0));
        server
    }

    fn info(replica_of: Option<NodeId>, offset: u64) -> Info {
        Info { run_id: 1, replica_of, link_down_for: None, offset }
    }

    #[test]
    fn a_server_is_down_when_a_ping_has_been_unanswered_for_too_long() {
        let mut server = server(true);
        assert!(!server.ping_due(at(1), DOWN_AFTER) && server.ping_due(at(2), DOWN_AFTER));
        server.check_down(at(32), DOWN_AFTER, true);
        assert!(!server.down, "it counts from the first ping that was not answered");
        server.check_down(at(33), DOWN_AFTER, true);
        assert!(server.down);
        server.pong(at(34));
        server.check_down(at(34), DOWN_AFTER, true);
        assert!(!server.down);
    }

    #[test]
    fn a_master_that_calls_itself_a_replica_is_down_after_a_while() {
        let mut server = server(true);
        server.learn(at(1), info(Some(NodeId(7)), 0));
        server.check_down(at(51), DOWN_AFTER, true);
        assert!(!server.down);
        server.check_down(at(52), DOWN_AFTER, true);
        assert!(server.down);
    }

    #[test]
    fn the_replica_that_is_furthest_ahead_is_the_best() {
        let (mut near, mut far, master) = (server(false), server(false), server(true));
        near.learn(at(1), info(Some(NodeId(7)), 9));
        far.learn(at(1), info(Some(NodeId(7)), 5));
        let [near, far] = [&near, &far].map(|replica| replica.candidate(at(2), &master, DOWN_AFTER));
        assert!(near.is_some() && near < far);
        let silent = server(false).candidate(at(2), &master, DOWN_AFTER);
        assert_eq!(silent, None, "nothing is known of it");
    }

    #[test]
    fn a_replica_that_calls_itself_a_master_is_left_alone_for_eight_seconds() {
        let mut back = server(false);
        back.learn(at(1), info(None, 9));
        assert!(!back.usurps(at(9)));
        back.learn(at(11), info(None, 9));
        assert!(back.usurps(at(11)));
    }
}
