//! Failure detection by the wall clock, as in Hazelcast (cp/internal/raft/impl/RaftNodeImpl.java, 5.x):
//! `LeaderFailureDetectionTask` on followers, `HeartbeatTask` on the leader, both through `isHeartbeatTimedOut`, and the
//! rejection of votes in PreVoteRequestHandlerTask.java and VoteRequestHandlerTask.java.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fencepost_sim::{Message, WallDeadline};

use super::config::WatchConfig;
use super::packet::{Head, Kind};
use crate::wire::Env;

/// The times of one replica. They are in memory only.
#[derive(Debug)]
pub(super) struct Watch {
    config: WatchConfig,
    /// The silence after which a leader or a follower counts as lost.
    silence: Duration,
    /// The leader sends no heartbeat if it has sent something within this time.
    heartbeat: Duration,
    /// When the leader counts as lost.
    leader: Option<WallDeadline>,
    /// Until when votes are rejected.
    loyal: Option<WallDeadline>,
    /// When the leader's next heartbeat is due.
    due: Option<WallDeadline>,
    /// When each follower counts as lost, for the leader.
    followers: BTreeMap<u8, WallDeadline>,
    /// The term in which this replica leads.
    leads_in: Option<u64>,
    /// Replicas that left the cluster.
    gone: BTreeSet<u8>,
}

impl Watch {
    pub fn new(config: WatchConfig, silence: Duration, heartbeat: Duration) -> Self {
        let (followers, gone) = (BTreeMap::new(), BTreeSet::new());
        Watch { config, silence, heartbeat, leader: None, loyal: None, due: None, followers, leads_in: None, gone }
    }

    pub fn config(&self) -> WatchConfig {
        self.config
    }

    pub fn mark_gone(&mut self, replica: u8) {
        self.gone.insert(replica);
    }

    /// Notes a message from another replica. Returns whether to handle it.
    pub fn received<M: Message>(&mut self, env: &mut Env<'_, M>, head: &Head, term: u64) -> bool {
        self.gone.remove(&head.from);
        match head.kind {
            Kind::Append | Kind::Heartbeat | Kind::Snapshot if head.term >= term => {
                self.leader = Some(env.wall_deadline(self.silence));
                self.loyal = Some(env.wall_deadline(self.config.loyalty));
            }
            Kind::AppendResponse | Kind::HeartbeatResponse => {
                self.followers.insert(head.from, env.wall_deadline(self.silence));
            }
            Kind::RequestVote | Kind::RequestPreVote => {
                return self.loyal.is_none_or(|until| env.wall_passed(until));
            }
            _ => {}
        }
        true
    }

    /// Notes a message to another replica.
    pub fn sent<M: Message>(&mut self, env: &Env<'_, M>, head: &Head) {
        if matches!(head.kind, Kind::Append | Kind::Heartbeat | Kind::Snapshot) {
            self.loyal = Some(env.wall_deadline(self.config.loyalty));
            self.due = Some(env.wall_deadline(self.heartbeat));
        }
    }

    /// Whether the leader's heartbeats are due. After a backward step of its clock they are not, until it has caught up.
    pub fn heartbeat_due<M: Message>(&self, env: &mut Env<'_, M>) -> bool {
        self.due.is_none_or(|due| env.wall_passed(due))
    }

    /// Whether a follower of this leader must start an election.
    pub fn leader_lost<M: Message>(&mut self, env: &mut Env<'_, M>, leader: Option<u64>) -> bool {
        self.leads_in = None;
        let Some(leader) = leader else { return true };
        self.gone.contains(&(leader as u8)) || self.leader.is_none_or(|until| env.wall_passed(until))
    }

    /// Whether the leader has heard too few of `others` to go on.
    pub fn quorum_lost<M: Message>(
        &mut self,
        env: &mut Env<'_, M>,
        term: u64,
        others: impl Iterator<Item = u8>,
    ) -> bool {
        let (mut heard, mut all) = (1, 1);
        let new = self.leads_in.replace(term) != Some(term);
        for other in others {
            all += 1;
            if new {
                self.followers.insert(other, env.wall_deadline(self.silence));
            }
            heard += usize::from(self.followers.get(&other).is_some_and(|until| !env.wall_passed(*until)));
        }
        2 * heard <= all
    }
}
