//! A Sentinel's knowledge of the other Sentinels, and its own vote.

use std::collections::BTreeMap;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::{NodeId, Wall};

use super::ASK_PERIOD;

/// The content of a Sentinel's configuration file. It is written before any message that depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conf {
    /// The master.
    pub master: NodeId,
    /// The epoch of the failover that made it the master.
    pub config_epoch: u64,
    /// The highest known epoch.
    pub epoch: u64,
    /// The last vote, and its epoch.
    pub vote: Option<(NodeId, u64)>,
}

/// The other Sentinels, the epochs and the votes.
pub(super) struct Election {
    me: NodeId,
    pub conf: Conf,
    file: Disk<Conf>,
    peers: BTreeMap<NodeId, Peer>,
}

/// Another Sentinel.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    asked: Option<Wall>,
    answered: Option<Wall>,
    finds_down: bool,
    vote: Option<(NodeId, u64)>,
}

impl Election {
    pub fn new(me: NodeId, others: impl Iterator<Item = NodeId>, master: NodeId) -> Self {
        let conf = Conf { master, config_epoch: 0, epoch: 0, vote: None };
        let peers = others.map(|node| (node, Peer::default())).collect();
        Election { me, conf, file: Disk::default(), peers }
    }

    /// Applies the effect of a crash. Without its file a Sentinel starts over with this master.
    pub fn crash(&mut self, disk: DiskFate, master: NodeId) {
        self.file.crash(disk);
        let first = Conf { master, config_epoch: 0, epoch: 0, vote: None };
        self.conf = self.file.records().last().copied().unwrap_or(first);
        self.clear_answers();
    }

    pub fn disk(&mut self) -> &mut dyn Syncs {
        &mut self.file
    }

    pub fn save(&mut self) {
        self.file.compact(self.conf);
    }

    pub fn others(&self) -> impl Iterator<Item = NodeId> {
        self.peers.keys().copied()
    }

    /// Learns of an epoch.
    pub fn observe_epoch(&mut self, epoch: u64) {
        if epoch > self.conf.epoch {
            self.conf.epoch = epoch;
            self.save();
        }
    }

    /// Starts a new epoch in order to lead it.
    pub fn start_epoch(&mut self) -> u64 {
        self.observe_epoch(self.conf.epoch + 1);
        self.conf.epoch
    }

    /// Votes, unless it has voted in this epoch (`sentinelVoteLeader`). Returns whether it did.
    pub fn vote(&mut self, epoch: u64, candidate: NodeId) -> bool {
        self.observe_epoch(epoch);
        let voted_in = self.conf.vote.map_or(0, |(_, epoch)| epoch);
        let votes = voted_in < epoch && self.conf.epoch <= epoch;
        if votes {
            self.conf.vote = Some((candidate, epoch));
            self.save();
        }
        votes
    }

    /// The other Sentinels to ask now whether the master is down. Old answers expire, and each is asked at most once a
    /// second, unless `at_once`.
    pub fn due_questions(&mut self, now: Wall, at_once: bool) -> impl Iterator<Item = NodeId> {
        self.peers.iter_mut().filter_map(move |(node, peer)| {
            if peer.answered.is_some_and(|at| now - at > 5 * ASK_PERIOD) {
                (peer.finds_down, peer.vote) = (false, None);
            }
            let lately = |at: Option<Wall>| at.is_some_and(|at| now >= at && now - at < ASK_PERIOD);
            let ask = at_once || !(lately(peer.answered) || lately(peer.asked));
            if ask {
                peer.asked = Some(now);
            }
            ask.then_some(*node)
        })
    }

    pub fn answer(&mut self, now: Wall, from: NodeId, finds_down: bool, vote: Option<(NodeId, u64)>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        (peer.answered, peer.finds_down) = (Some(now), finds_down);
        peer.vote = vote.or(peer.vote);
    }

    /// The number of others that find the master down.
    pub fn find_down(&self) -> u32 {
        self.peers.values().filter(|peer| peer.finds_down).count() as u32
    }

    pub fn clear_answers(&mut self) {
        self.peers.values_mut().for_each(|peer| *peer = Peer::default());
    }

    /// The leader of the epoch, by the votes of a majority of all Sentinels and of the quorum. This Sentinel votes with the
    /// others if it has not voted yet, or for itself if they have not either (`sentinelGetLeader`).
    pub fn leader(&mut self, epoch: u64, quorum: u32) -> Option<NodeId> {
        let current = self.conf.epoch;
        let mut votes: BTreeMap<NodeId, u32> = BTreeMap::new();
        let cast = self.peers.values().filter_map(|peer| peer.vote).filter(|(_, epoch)| *epoch == current);
        cast.for_each(|(candidate, _)| *votes.entry(candidate).or_default() += 1);
        let favourite = first_with_most(&votes).map_or(self.me, |(candidate, _)| candidate);
        self.vote(epoch, favourite);
        if let Some((candidate, _)) = self.conf.vote.filter(|(_, voted_in)| *voted_in == epoch) {
            *votes.entry(candidate).or_default() += 1;
        }
        let voters = self.peers.len() as u32 + 1;
        let majority = voters / 2 + 1;
        first_with_most(&votes).filter(|(_, count)| *count >= majority.max(quorum)).map(|(candidate, _)| candidate)
    }
}

fn first_with_most(votes: &BTreeMap<NodeId, u32>) -> Option<(NodeId, u32)> {
    votes.iter().rev().max_by_key(|(_, count)| **count).map(|(candidate, count)| (*candidate, *count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn election_of_three() -> Election {
        Election::new(ME, [OTHER, NodeId(3)].into_iter(), NodeId(0))
    }

    #[test]
    fn a_sentinel_votes_once_in_an_epoch_even_after_a_crash() {
        let mut election = election_of_three();
        assert!(election.vote(1, OTHER) && !election.vote(1, NodeId(3)));
        election.crash(DiskFate::Unsynced, NodeId(0));
        assert!(!election.vote(1, NodeId(3)) && election.vote(2, NodeId(3)));
        assert_eq!(election.conf.vote, Some((NodeId(3), 2)));
    }

    #[test]
    fn a_leader_needs_two_votes_of_three() {
        let mut election = election_of_three();
        let epoch = election.start_epoch();
        assert_eq!(election.leader(epoch, 2), None);
        election.answer(Wall(0), OTHER, true, Some((ME, epoch)));
        assert_eq!(election.leader(epoch, 2), Some(ME));
        assert_eq!(election.leader(epoch, 3), None, "the quorum may ask for more than a majority");
    }

    #[test]
    fn votes_of_another_epoch_do_not_count() {
        let mut election = election_of_three();
        let epoch = election.start_epoch();
        election.answer(Wall(0), OTHER, true, Some((ME, epoch + 1)));
        assert_eq!(election.leader(epoch, 2), None);
    }

    #[test]
    fn a_peer_is_asked_once_a_second_unless_at_once() {
        let mut election = election_of_three();
        assert_eq!(election.due_questions(Wall(0), false).count(), 2);
        assert_eq!(election.due_questions(Wall(999_999_999), false).count(), 0);
        assert_eq!(election.due_questions(Wall(999_999_999), true).count(), 2);
    }
}
