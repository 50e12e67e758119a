//! The configuration of a cluster.

use std::time::Duration;

/// The timings and options of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The heartbeat interval of the leader, and the length of a tick of every replica.
    pub heartbeat: Duration,
    /// A follower that hears nothing for one to two of these (drawn each time) starts an election.
    pub election: Duration,
    /// If given, replicas measure each other's silence by their wall clocks, as Hazelcast's do. Ticks start no election
    /// then, and `check_quorum` has no effect.
    pub watch: Option<WatchConfig>,
    /// Whether a replica asks if it could win before it starts an election (Ongaro's thesis, 9.6).
    pub pre_vote: bool,
    /// Whether a leader steps down if it does not hear from a quorum for an election timeout (thesis, 6.2).
    pub check_quorum: bool,
    /// The time after which a leader without contact to a quorum steps down, if shorter than `election`
    /// (hashicorp/raft, `LeaderLeaseTimeout`).
    pub leader_lease: Option<Duration>,
    /// How reads are answered.
    pub reads: ReadMode,
    /// Whether a proposal waits while there is no leader, as etcd's do (raft/node.go, `run`: `propc`). If not, it fails
    /// at once.
    pub queue_without_leader: bool,
    /// A proposal or a read without an answer fails after this.
    pub request_timeout: Duration,
    /// A read without an answer is sent again after this.
    pub read_retry: Duration,
    /// The number of entries after which the state is saved and the log before it is truncated.
    pub snapshot_every: u64,
    /// The number of entries before a snapshot that stay for followers that lag.
    pub keep_entries: u64,
    /// Whether the log is synced before messages that rely on it are sent. Raft requires it.
    pub fsync: bool,
    /// What happens to a replica that restarts without entries it had acknowledged. Raft forbids this: the replica may
    /// have helped to commit what is now lost.
    ///
    /// If true, the leader sends it everything again. If false, it ignores that leader, as etcd's does, which panics
    /// with "tocommit is out of range ... Was the raft log corrupted, truncated, or lost?" (raft/log.go, `commitTo`) at
    /// every heartbeat.
    pub resend_lost_entries: bool,
}

/// How replicas notice a lost leader or quorum by their wall clocks. Both are lost after a silence of `election`. A leader
/// checks for its quorum before each heartbeat.
#[derive(Clone, Copy, Debug)]
pub struct WatchConfig {
    /// A follower checks its leader after this plus up to `jitter`, and starts an election if it has none.
    pub interval: Duration,
    /// The maximal addition to `interval`.
    pub jitter: Duration,
    /// A replica rejects votes for this long after it heard its leader, or sent entries as the leader.
    pub loyalty: Duration,
}

/// How reads are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// After a quorum has confirmed the leader (ReadIndex; thesis, 6.4).
    Quorum,
    /// By the leader alone: its clock says that no other leader can exist yet (thesis, 6.4.1). Implies `check_quorum`.
    Lease,
    /// At once by any server that believes to lead, even if it was deposed: a bug. Others ask as in `Quorum`.
    Unchecked,
}

impl Default for Config {
    /// The defaults of etcd: heartbeats every 100 ms, elections after 1 s (`--heartbeat-interval`,
    /// `--election-timeout`), pre-vote (default since 3.5), check-quorum (server/etcdserver/bootstrap.go,
    /// `raftConfig`), ReadIndex sent again after 500 ms (v3_server.go, `readIndexRetryTime`), requests fail after 5 s
    /// plus two election timeouts (server/config/config.go, `ReqTimeout`). The log is truncated more often than etcd's,
    /// to stay short.
    fn default() -> Self {
        Config {
            heartbeat: Duration::from_millis(100),
            election: Duration::from_millis(1_000),
            watch: None,
            leader_lease: None,
            pre_vote: true,
            check_quorum: true,
            reads: ReadMode::Quorum,
            queue_without_leader: true,
            request_timeout: Duration::from_millis(7_000),
            read_retry: Duration::from_millis(500),
            snapshot_every: 1_000,
            keep_entries: 100,
            fsync: true,
            resend_lost_entries: false,
        }
    }
}

impl Config {
    /// Checks the timings.
    ///
    /// # Errors
    /// An error text for the user.
    pub fn check(&self) -> Result<(), String> {
        if self.heartbeat.is_zero() {
            return Err("the heartbeat interval must be greater than zero".into());
        }
        if self.election < 2 * self.heartbeat {
            return Err("the election timeout must be at least two heartbeat intervals".into());
        }
        Ok(())
    }

    /// The maximal time from the loss of a leader until the next one acts, if the first election succeeds and the
    /// network takes no time.
    pub fn max_failover_time(&self) -> Duration {
        self.election + self.watch.map_or(self.election, |watch| watch.interval + watch.jitter) + self.heartbeat
    }

    pub(super) fn election_ticks(&self) -> usize {
        self.ticks(self.election).max(2) as usize
    }

    /// The bounds, in ticks, of the election timeout.
    pub(super) fn election_range(&self) -> (u64, u64) {
        let election = self.election_ticks() as u64;
        (election, 2 * election - 1)
    }

    /// A duration in ticks, rounded up, at least one.
    pub(super) fn ticks(&self, span: Duration) -> u64 {
        span.as_nanos().div_ceil(self.heartbeat.as_nanos().max(1)).max(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_leader_is_replaced_after_its_silence_and_a_check() {
        let (heartbeat, election) = (Duration::from_secs(1), Duration::from_secs(25));
        let one = Config { heartbeat, election, ..Config::default() };
        assert_eq!((one.election_range(), one.max_failover_time()), ((25, 49), Duration::from_secs(51)));
        let (interval, jitter) = (Duration::from_secs(2), Duration::from_secs(1));
        let watch = Some(WatchConfig { interval, jitter, loyalty: interval });
        assert_eq!(Config { watch, ..one }.max_failover_time(), Duration::from_secs(29));
    }
}
