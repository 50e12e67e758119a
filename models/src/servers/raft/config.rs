//! How a cluster is set up.

use std::time::Duration;

/// The timings and options of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How often the leader is heard of. It is also how exactly a replica counts time.
    pub heartbeat: Duration,
    /// A follower that hears nothing for this long, and up to as long again (drawn anew each time), stands for election.
    pub election: Duration,
    /// If given: a replica that knows of no leader stands after this and up to as long again, without waiting for
    /// `election`; and one that knew a leader waits for `election` and for this at the most, as Hazelcast's do.
    pub search: Option<Duration>,
    /// Whether a replica asks if it could win before it disturbs a leader by standing (Ongaro's thesis, 9.6).
    pub pre_vote: bool,
    /// Whether a leader steps down that has not heard of a quorum for an election timeout (thesis, 6.2).
    pub check_quorum: bool,
    /// How reads are answered.
    pub reads: ReadMode,
    /// Whether a proposal waits for a leader while there is none, as etcd's do (raft/node.go, `run`: `propc`). If not, it
    /// fails at once.
    pub holds: bool,
    /// After this, nobody waits for a proposal or a read any longer.
    pub give_up: Duration,
    /// After this, a read is asked for again that has brought no answer.
    pub read_retry: Duration,
    /// After how many entries the machine's state is kept and the log before it cut off.
    pub snapshot_every: u64,
    /// How many entries before that are kept for followers that lag a little.
    pub keep_entries: u64,
    /// Whether the log is made safe before words go out that rely on it. Raft demands it.
    pub fsync: bool,
    /// What a replica does that has lost entries which it had acknowledged, so that it comes back under its old name with
    /// less than its leader knows it had. Raft forbids that: it may have helped to commit what is now lost.
    ///
    /// If true, the leader sends it everything again. If false, it is deaf to that leader, as etcd's is, which panics
    /// with "tocommit is out of range ... Was the raft log corrupted, truncated, or lost?" (raft/log.go, `commitTo`)
    /// at every heartbeat.
    pub rejoins: bool,
}

/// How reads are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// After a quorum has confirmed the leader (thesis, 6.4: ReadIndex).
    Quorum,
    /// By the leader alone, trusting that it would have stepped down: its clock decides (thesis, 6.4.1). Needs, and
    /// switches on, `check_quorum`.
    Lease,
    /// At once by whoever believes to lead, even if it has long been deposed: a bug. Others ask as in `Quorum`.
    Unchecked,
}

impl Default for Config {
    /// What etcd does by default: heartbeats each 100 ms, elections after 1 s (`--heartbeat-interval`,
    /// `--election-timeout`), pre-vote (default since 3.5), check-quorum (server/etcdserver/bootstrap.go, `raftConfig`),
    /// ReadIndex asked again after 500 ms (v3_server.go, `readIndexRetryTime`), requests given up after 5 s and two
    /// election timeouts (server/config/config.go, `ReqTimeout`). Its log is cut more often than etcd's, to stay short.
    fn default() -> Self {
        Config {
            heartbeat: Duration::from_millis(100),
            election: Duration::from_millis(1_000),
            search: None,
            pre_vote: true,
            check_quorum: true,
            reads: ReadMode::Quorum,
            holds: true,
            give_up: Duration::from_millis(7_000),
            read_retry: Duration::from_millis(500),
            snapshot_every: 1_000,
            keep_entries: 100,
            fsync: true,
            rejoins: false,
        }
    }
}

impl Config {
    /// Whether the timings make sense.
    ///
    /// # Errors
    /// Why not, in words for a user.
    pub fn check(&self) -> Result<(), String> {
        if self.heartbeat.is_zero() {
            return Err("the heartbeat interval must be longer than nothing".into());
        }
        if self.election < 2 * self.heartbeat {
            return Err("the election timeout must be at least two heartbeat intervals".into());
        }
        Ok(())
    }

    /// How long it takes at the most until a new leader acts, from the loss of the old one, if the first election
    /// succeeds and the network takes no time: followers wait up to two election timeouts, or what `search` adds.
    pub fn failover(&self) -> Duration {
        self.election + self.search.unwrap_or(self.election) + self.heartbeat
    }

    pub(super) fn election_ticks(&self) -> usize {
        self.ticks(self.election).max(2) as usize
    }

    /// The ticks, from the fewest to the most, that a replica lets pass before it stands which has heard of its leader.
    pub(super) fn patience(&self) -> (u64, u64) {
        let election = self.election_ticks() as u64;
        (election, self.search.map_or(2 * election - 1, |search| election + self.ticks(search)))
    }

    /// The same for one that knows of no leader, if that makes a difference.
    pub(super) fn search_ticks(&self) -> Option<(u64, u64)> {
        let search = self.search.map(|search| self.ticks(search).min(self.election_ticks() as u64 / 2))?;
        Some((search, 2 * search))
    }

    /// How many ticks a span takes, at least one.
    pub(super) fn ticks(&self, span: Duration) -> u64 {
        span.as_nanos().div_ceil(self.heartbeat.as_nanos().max(1)).max(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_leader_stands_sooner_if_the_system_has_two_timeouts() {
        let (heartbeat, election) = (Duration::from_secs(1), Duration::from_secs(25));
        let one = Config { heartbeat, election, ..Config::default() };
        assert_eq!((one.patience(), one.search_ticks()), ((25, 49), None));
        let two = Config { search: Some(Duration::from_secs(2)), ..one };
        assert_eq!((two.patience(), two.search_ticks()), ((25, 27), Some((2, 4))));
        assert_eq!(two.failover(), Duration::from_secs(28));
    }
}
