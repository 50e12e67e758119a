//! Asynchronous replication, apart from any node: what a server knows of its own history and of who follows it.
//!
//! A master streams every change of its data set to its replicas and does not wait for them (redis.io, "Redis
//! replication": "By default Redis uses asynchronous replication"). Offsets count transactions and pings here, where
//! Redis counts their bytes.
//!
//! A history has an id, and a server's place in it is its offset. Whoever is promoted begins a new id and remembers the
//! old one up to where it knew it, so that others may go on with it ("Replication ID explained", same page). A replica
//! that asks to go on gets what it misses, if the master still has that in its backlog and if its history is one that
//! the master shares; else all of the data set, and what it had is gone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fencepost_sim::{NodeId, Wall};
use serde::Serialize;

use super::Record;

/// What masters and replicas say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ReplicationMessage {
    /// `PSYNC`, from a replica: it has this history up to this offset.
    Psync { history: u64, offset: u64 },
    /// `+FULLRESYNC` and the whole data set, as of this offset.
    Full { history: u64, offset: u64, data: Vec<Record> },
    /// `+CONTINUE`: what is missing follows.
    Continue { history: u64 },
    /// One transaction, or a `PING` if it is empty, after which the offset is this.
    Stream { offset: u64, records: Vec<Record> },
    /// `REPLCONF GETACK`.
    GetAck,
    /// `REPLCONF ACK`.
    Ack { offset: u64 },
    /// The master does not know this connection, as a reset says in a real network: synchronise again.
    Reset,
}

/// How a server takes part in replication.
#[derive(Clone, Debug, Default)]
pub struct ReplicationConfig {
    /// The master that it follows when it is started for the first time (`replicaof`).
    pub replica_of: Option<String>,
    /// `min-replicas-to-write`: the master refuses writes if fewer replicas keep up; 0 is off.
    pub min_replicas: u32,
    /// `min-replicas-max-lag`: a replica keeps up that acknowledged something within this.
    pub max_lag: Duration,
}

/// A connection that is silent for so long is dropped (`repl-timeout 60` in redis.conf).
pub const REPL_TIMEOUT: Duration = Duration::from_secs(60);

/// So many transactions are kept to be sent again: of the backlog's `repl-backlog-size 1mb` in redis.conf, this is what
/// locks need.
const BACKLOG: usize = 1024;

/// A server's place in the history of the data set.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// The history's id (`master_replid`).
    pub id: u64,
    /// How far it knows it (`master_repl_offset`).
    pub offset: u64,
    /// The history that it followed before, and up to where it is the same (`master_replid2`, `second_repl_offset`).
    older: Option<(u64, u64)>,
    backlog: VecDeque<Vec<Record>>,
}

impl Lineage {
    /// A new history.
    pub fn new(id: u64) -> Self {
        Lineage { id, ..Lineage::default() }
    }

    /// Another history, of which all is known up to this offset.
    pub fn joined(id: u64, offset: u64) -> Self {
        Lineage { id, offset, ..Lineage::default() }
    }

    /// The history goes on under another id: a replica was promoted, or its master was.
    pub fn rename(&mut self, id: u64) {
        if id != self.id {
            self.older = Some((self.id, self.offset));
            self.id = id;
        }
    }

    /// One transaction more.
    pub fn append(&mut self, records: Vec<Record>) {
        self.offset += 1;
        self.backlog.push_back(records);
        if self.backlog.len() > BACKLOG {
            self.backlog.pop_front();
        }
    }

    /// What somebody misses who has this history up to this offset: each transaction with the offset after it. Nothing
    /// if it cannot be told, or is another history (`masterTryPartialResync` in replication.c).
    pub fn missing(&self, history: u64, offset: u64) -> Option<impl Iterator<Item = (u64, &Vec<Record>)>> {
        let shared = history == self.id || self.older.is_some_and(|(id, up_to)| history == id && offset <= up_to);
        let oldest = self.offset - self.backlog.len() as u64;
        (shared && (oldest..=self.offset).contains(&offset))
            .then(|| (offset + 1..).zip(self.backlog.iter().skip((offset - oldest) as usize)))
    }
}

/// Whom a server follows, or who follows it.
#[derive(Clone, Debug)]
pub enum Role {
    /// A master, and its replicas.
    Master(BTreeMap<NodeId, Follower>),
    /// A replica.
    Replica(Following),
}

/// A replica as its master knows it.
#[derive(Clone, Copy, Debug)]
pub struct Follower {
    /// What it acknowledged.
    pub acked: u64,
    /// When it did so last, by the master's wall clock (`repl_ack_time`).
    pub at: Wall,
    /// The master's own offset then.
    pub sent: u64,
}

/// A master as its replica knows it.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// The master.
    pub master: NodeId,
    /// Whether the two are in sync, but for what is on its way (`master_link_status`).
    pub up: bool,
    /// When something came last, by the replica's wall clock; while the link is down, when it went down.
    pub since: Wall,
}

impl Role {
    /// The role of whoever follows this master, or nobody.
    pub fn following(master: Option<NodeId>, now: Wall) -> Self {
        master.map_or_else(
            || Role::Master(BTreeMap::new()),
            |master| Role::Replica(Following { master, up: false, since: now }),
        )
    }

    /// Whether it is a master.
    pub fn is_master(&self) -> bool {
        matches!(self, Role::Master(_))
    }

    /// Who follows it.
    pub fn followers(&self) -> impl Iterator<Item = (NodeId, &Follower)> {
        let followers = match self {
            Role::Master(followers) => Some(followers),
            Role::Replica(_) => None,
        };
        followers.into_iter().flatten().map(|(node, follower)| (*node, follower))
    }

    /// How many replicas have acknowledged this offset.
    pub fn acked(&self, offset: u64) -> u32 {
        self.followers().filter(|(_, follower)| follower.acked >= offset).count() as u32
    }

    /// Whether enough replicas keep up for the master to write (`refreshGoodSlavesCount` in replication.c).
    pub fn may_write(&self, config: &ReplicationConfig, now: Wall) -> bool {
        let good = self.followers().filter(|(_, follower)| now - follower.at <= config.max_lag).count();
        config.min_replicas as usize <= good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(mut lineage: Lineage, by: u64) -> Lineage {
        (0..by).for_each(|_| lineage.append(Vec::new()));
        lineage
    }

    fn missing(lineage: &Lineage, history: u64, offset: u64) -> Option<Vec<u64>> {
        Some(lineage.missing(history, offset)?.map(|(offset, _)| offset).collect())
    }

    #[test]
    fn a_replica_of_the_same_history_gets_what_it_misses() {
        let master = grown(Lineage::new(7), 3);
        assert_eq!(missing(&master, 7, 1), Some(vec![2, 3]));
        assert_eq!(missing(&master, 7, 3), Some(vec![]));
        assert_eq!(missing(&master, 8, 1), None);
        assert_eq!(missing(&master, 7, 4), None, "it is ahead: another history");
    }

    #[test]
    fn what_left_the_backlog_cannot_be_sent_again() {
        let master = grown(Lineage::new(7), BACKLOG as u64 + 5);
        assert_eq!(missing(&master, 7, 4), None);
        assert_eq!(missing(&master, 7, 5).map(|all| all.len()), Some(BACKLOG));
    }

    #[test]
    fn a_promoted_replica_shares_the_old_history_up_to_its_promotion() {
        let mut promoted = grown(Lineage::joined(7, 10), 2);
        promoted.rename(8);
        let promoted = grown(promoted, 1);
        assert_eq!(missing(&promoted, 7, 11), Some(vec![12, 13]));
        assert_eq!(missing(&promoted, 7, 13), None, "the old master's own writes are another history");
        assert_eq!(missing(&promoted, 7, 9), None, "it joined later than that");
    }

    #[test]
    fn only_replicas_that_acknowledged_lately_count() {
        let follower = |at| Follower { acked: 3, at: Wall(at), sent: 3 };
        let role = Role::Master(BTreeMap::from([(NodeId(1), follower(0)), (NodeId(2), follower(5))]));
        let config =
            |min_replicas| ReplicationConfig { min_replicas, max_lag: Duration::from_nanos(4), replica_of: None };
        assert!(role.may_write(&config(2), Wall(4)));
        assert!(role.may_write(&config(1), Wall(9)) && !role.may_write(&config(2), Wall(9)));
        assert!(role.may_write(&config(0), Wall(99)));
        assert_eq!((role.acked(3), role.acked(4)), (2, 0));
    }
}
