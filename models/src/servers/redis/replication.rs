//! Asynchronous replication, without a node: the history of a server and the state of its replicas.
//!
//! A master streams every change of its data set to its replicas and does not wait for them (redis.io, "Redis
//! replication": "By default Redis uses asynchronous replication"). Offsets count transactions and pings here, where
//! Redis counts their bytes.
//!
//! A history has an ID, and a server has an offset in it. A promoted server starts a new ID and remembers the old one
//! with its last offset, so that others can continue from it ("Replication ID explained", same page). A replica that
//! asks to continue gets the missing part if the master shares its history and still has the part in the backlog.
//! Otherwise it gets the whole data set, and its own data is lost.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fencepost_sim::{NodeId, Wall};
use serde::Serialize;

use super::Record;

/// The messages between masters and replicas.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ReplicationMessage {
    /// `PSYNC`: the replica has this history up to this offset.
    Psync { history: u64, offset: u64 },
    /// `+FULLRESYNC` and the whole data set, as of this offset.
    Full { history: u64, offset: u64, data: Vec<Record> },
    /// `+CONTINUE`: the missing part follows.
    Continue { history: u64 },
    /// One transaction, or a `PING` if it is empty, and the offset after it.
    Stream { offset: u64, records: Vec<Record> },
    /// `REPLCONF GETACK`.
    GetAck,
    /// `REPLCONF ACK`.
    Ack { offset: u64 },
    /// The master does not know this connection, which a real network reports by a reset: synchronise again.
    Reset,
}

/// The configuration of a server's replication.
#[derive(Clone, Debug, Default)]
pub struct ReplicationConfig {
    /// The master to follow at the first start (`replicaof`).
    pub replica_of: Option<String>,
    /// `min-replicas-to-write`: the master rejects writes if fewer replicas are in sync; 0 is off.
    pub min_replicas: u32,
    /// `min-replicas-max-lag`: a replica is in sync if it acknowledged within this.
    pub max_lag: Duration,
}

/// A connection is dropped after this silence (`repl-timeout 60` in redis.conf).
pub const REPL_TIMEOUT: Duration = Duration::from_secs(60);

/// The transactions kept to be sent again: the part of `repl-backlog-size 1mb` in redis.conf that locks need.
const BACKLOG: usize = 1024;

/// The history of a server's data set and its position in it.
#[derive(Clone, Debug, Default)]
pub struct ReplicationHistory {
    /// The ID of the history (`master_replid`).
    pub id: u64,
    /// The last known offset (`master_repl_offset`).
    pub offset: u64,
    /// The previous history and the last offset shared with it (`master_replid2`, `second_repl_offset`).
    older: Option<(u64, u64)>,
    backlog: VecDeque<Vec<Record>>,
}

impl ReplicationHistory {
    /// A new history.
    pub fn new(id: u64) -> Self {
        ReplicationHistory { id, ..ReplicationHistory::default() }
    }

    /// The history of a master, known up to this offset.
    pub fn synced(id: u64, offset: u64) -> Self {
        ReplicationHistory { id, offset, ..ReplicationHistory::default() }
    }

    /// Continues the history under another ID: this server or its master was promoted.
    pub fn switch_id(&mut self, id: u64) {
        if id != self.id {
            self.older = Some((self.id, self.offset));
            self.id = id;
        }
    }

    /// Appends a transaction.
    pub fn append(&mut self, records: Vec<Record>) {
        self.offset += 1;
        self.backlog.push_back(records);
        if self.backlog.len() > BACKLOG {
            self.backlog.pop_front();
        }
    }

    /// The transactions after this offset of this history, each with the offset after it. `None` if the backlog lacks
    /// them or the history is another one (`masterTryPartialResync` in replication.c).
    pub fn missing(&self, history: u64, offset: u64) -> Option<impl Iterator<Item = (u64, &Vec<Record>)>> {
        let shared = history == self.id || self.older.is_some_and(|(id, up_to)| history == id && offset <= up_to);
        let oldest = self.offset - self.backlog.len() as u64;
        (shared && (oldest..=self.offset).contains(&offset))
            .then(|| (offset + 1..).zip(self.backlog.iter().skip((offset - oldest) as usize)))
    }
}

/// The role of a server.
#[derive(Clone, Debug)]
pub enum Role {
    /// A master with its replicas.
    Master(BTreeMap<NodeId, Follower>),
    /// A replica.
    Replica(Following),
}

/// A replica as its master knows it.
#[derive(Clone, Copy, Debug)]
pub struct Follower {
    /// The acknowledged offset.
    pub acked: u64,
    /// The time of the last acknowledgement, by the master's wall clock (`repl_ack_time`).
    pub at: Wall,
    /// The master's own offset at that time.
    pub sent: u64,
}

/// A master as its replica knows it.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// The master.
    pub master: NodeId,
    /// Whether the two are in sync, except for messages in flight (`master_link_status`).
    pub up: bool,
    /// The time of the last message, by the replica's wall clock; while the link is down, the time at which it went
    /// down.
    pub since: Wall,
}

impl Role {
    /// The role of a server with this master, or of a master if `None`.
    pub fn with_master(master: Option<NodeId>, now: Wall) -> Self {
        master.map_or_else(
            || Role::Master(BTreeMap::new()),
            |master| Role::Replica(Following { master, up: false, since: now }),
        )
    }

    /// Whether the server is a master.
    pub fn is_master(&self) -> bool {
        matches!(self, Role::Master(_))
    }

    /// The replicas of a master.
    pub fn followers(&self) -> impl Iterator<Item = (NodeId, &Follower)> {
        let followers = match self {
            Role::Master(followers) => Some(followers),
            Role::Replica(_) => None,
        };
        followers.into_iter().flatten().map(|(node, follower)| (*node, follower))
    }

    /// The number of replicas that acknowledged this offset.
    pub fn acked(&self, offset: u64) -> u32 {
        self.followers().filter(|(_, follower)| follower.acked >= offset).count() as u32
    }

    /// Whether enough replicas are in sync for the master to write (`refreshGoodSlavesCount` in replication.c).
    pub fn accepts_writes(&self, config: &ReplicationConfig, now: Wall) -> bool {
        let good = self.followers().filter(|(_, follower)| now - follower.at <= config.max_lag).count();
        config.min_replicas as usize <= good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(mut history: ReplicationHistory, by: u64) -> ReplicationHistory {
        (0..by).for_each(|_| history.append(Vec::new()));
        history
    }

    fn missing(history: &ReplicationHistory, id: u64, offset: u64) -> Option<Vec<u64>> {
        Some(history.missing(id, offset)?.map(|(offset, _)| offset).collect())
    }

    #[test]
    fn a_replica_of_the_same_history_gets_the_missing_transactions() {
        let master = grown(ReplicationHistory::new(7), 3);
        assert_eq!(missing(&master, 7, 1), Some(vec![2, 3]));
        assert_eq!(missing(&master, 7, 3), Some(vec![]));
        assert_eq!(missing(&master, 8, 1), None);
        assert_eq!(missing(&master, 7, 4), None, "an offset ahead belongs to another history");
    }

    #[test]
    fn transactions_outside_the_backlog_cannot_be_sent_again() {
        let master = grown(ReplicationHistory::new(7), BACKLOG as u64 + 5);
        assert_eq!(missing(&master, 7, 4), None);
        assert_eq!(missing(&master, 7, 5).map(|all| all.len()), Some(BACKLOG));
    }

    #[test]
    fn a_promoted_replica_shares_the_old_history_up_to_its_promotion() {
        let mut promoted = grown(ReplicationHistory::synced(7, 10), 2);
        promoted.switch_id(8);
        let promoted = grown(promoted, 1);
        assert_eq!(missing(&promoted, 7, 11), Some(vec![12, 13]));
        assert_eq!(missing(&promoted, 7, 13), None, "the old master's own writes are another history");
        assert_eq!(missing(&promoted, 7, 9), None, "it synchronised after that");
    }

    #[test]
    fn only_replicas_that_acknowledged_lately_count() {
        let follower = |at| Follower { acked: 3, at: Wall(at), sent: 3 };
        let role = Role::Master(BTreeMap::from([(NodeId(1), follower(0)), (NodeId(2), follower(5))]));
        let config =
            |min_replicas| ReplicationConfig { min_replicas, max_lag: Duration::from_nanos(4), replica_of: None };
        assert!(role.accepts_writes(&config(2), Wall(4)));
        assert!(role.accepts_writes(&config(1), Wall(9)) && !role.accepts_writes(&config(2), Wall(9)));
        assert!(role.accepts_writes(&config(0), Wall(99)));
        assert_eq!((role.acked(3), role.acked(4)), (2, 0));
    }
}
