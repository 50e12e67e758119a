//! A Sentinel's knowledge of one Redis server.

use std::time::Duration;

use fencepost_sim::{NodeId, Wall};

use super::{INFO_PERIOD, Info, PING_PERIOD, PUBLISH_PERIOD, SLAVE_RECONF_TIMEOUT};

/// A Redis server, as a Sentinel sees it (`sentinelRedisInstance`).
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub node: NodeId,
    pinged: Wall,
    /// The time of the first ping without an answer since (`act_ping_time`).
    unanswered: Option<Wall>,
    ponged: Wall,
    asked_info: Option<Wall>,
    info: Option<(Wall, Info)>,
    /// Whether it calls itself a master.
    pub says_master: bool,
    /// The time since which it reports its current role.
    role_since: Wall,
    /// The time since which it has followed its current master.
    following_since: Wall,
    /// `S_DOWN`.
    pub down: bool,
    /// The time at which it last went down.
    down_at: Option<Wall>,
    pub reconf: Reconf,
}

/// The progress of a replica to its new master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconf {
    No,
    Sent(Wall),
    InProgress,
    Done,
}

/// A candidate's last answer is at most this old (`sentinelSelectSlave`: five pings).
const FRESH: Duration = Duration::from_secs(5);

impl Instance {
    /// A server without known state. It counts as pinged, so that it is down if it never answers.
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

    /// Whether an `INFO` is due. `often` is for replicas of a master that is down or being replaced.
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

    /// Whether a `PING` is due.
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

    /// Its last `INFO`.
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

    /// The time since the oldest unanswered ping.
    pub fn silent_for(&self, now: Wall) -> Duration {
        self.unanswered.map_or(Duration::ZERO, |since| now - since)
    }

    /// `sentinelCheckSubjectivelyDown`. A master that calls itself a replica also counts as down after a while.
    pub fn check_down(&mut self, now: Wall, down_after: Duration, master: bool) {
        let stepped_down = master && !self.says_master && now - self.role_since > down_after + 2 * INFO_PERIOD;
        let down = self.silent_for(now) > down_after || stepped_down;
        if down && !self.down {
            self.down_at = Some(now);
        }
        self.down = down;
    }

    /// Whether it answers.
    pub fn answers(&self, now: Wall) -> bool {
        !self.down && now - self.ponged <= FRESH
    }

    /// The rank of the replica as a candidate, lowest first, or `None` if it is none (`sentinelSelectSlave`). All
    /// priorities are equal here.
    pub fn candidate(&self, now: Wall, master: &Instance, down_after: Duration) -> Option<(u64, u64)> {
        let (at, info) = self.info?;
        let oldest_info = if master.down { FRESH } else { 3 * INFO_PERIOD };
        let master_down_for = master.down_at.filter(|_| master.down).map_or(Duration::ZERO, |at| now - at);
        let behind = info.link_down_for.is_some_and(|since| since > master_down_for + 10 * down_after);
        (self.answers(now) && now - at <= oldest_info && !behind).then_some((u64::MAX - info.offset, info.run_id))
    }

    /// The part of `sentinelMasterLooksSane` that concerns this master alone.
    pub fn looks_sane(&self, now: Wall) -> bool {
        self.says_master && !self.down && self.info.is_some_and(|(at, _)| now - at < 2 * INFO_PERIOD)
    }

    /// Whether a replica has called itself a master for so long that no news of a failover can be in flight.
    pub fn claims_mastership(&self, now: Wall) -> bool {
        let wait = 4 * PUBLISH_PERIOD;
        self.says_master && self.not_down_for(now, wait) && now - self.role_since > wait
    }

    /// Whether a replica has followed another master for `wait`.
    pub fn follows_wrong_master(&self, now: Wall, master: NodeId, wait: Duration) -> bool {
        let elsewhere = self.info().is_some_and(|info| info.replica_of.is_some_and(|followed| followed != master));
        elsewhere && self.not_down_for(now, wait) && now - self.following_since > wait
    }

    fn not_down_for(&self, now: Wall, wait: Duration) -> bool {
        self.down_at.is_none_or(|at| now - at > wait)
    }

    /// Updates the progress to the new master from the last `INFO`.
    pub fn advance(&mut self, promoted: NodeId) {
        let Some(&Info { replica_of, link_down_for, .. }) = self.info() else { return };
        if matches!(self.reconf, Reconf::Sent(_)) && replica_of == Some(promoted) {
            self.reconf = Reconf::InProgress;
        }
        if self.reconf == Reconf::InProgress && link_down_for.is_none() {
            self.reconf = Reconf::Done;
        }
    }

    /// Stops waiting for a replica that does not react.
    pub fn time_out_reconf(&mut self, now: Wall) {
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
        assert!(!server.down, "the time counts from the first unanswered ping");
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
    fn the_replica_with_the_highest_offset_is_the_best_candidate() {
        let (mut near, mut far, master) = (server(false), server(false), server(true));
        near.learn(at(1), info(Some(NodeId(7)), 9));
        far.learn(at(1), info(Some(NodeId(7)), 5));
        let [near, far] = [&near, &far].map(|replica| replica.candidate(at(2), &master, DOWN_AFTER));
        assert!(near.is_some() && near < far);
        let silent = server(false).candidate(at(2), &master, DOWN_AFTER);
        assert_eq!(silent, None, "it has sent no INFO");
    }

    #[test]
    fn a_replica_may_call_itself_a_master_for_eight_seconds() {
        let mut back = server(false);
        back.learn(at(1), info(None, 9));
        assert!(!back.claims_mastership(at(9)));
        back.learn(at(11), info(None, 9));
        assert!(back.claims_mastership(at(11)));
    }
}
