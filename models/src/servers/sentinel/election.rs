//! What a Sentinel knows of the other ones, and whom it voted for.

use std::collections::BTreeMap;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::{NodeId, Wall};

use super::ASK_PERIOD;

/// What a Sentinel's configuration file remembers. It is written before anything is said that depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conf {
    /// The master.
    pub master: NodeId,
    /// The epoch of the failover that made it the master.
    pub config_epoch: u64,
    /// The highest epoch heard of.
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

    /// Loses what a crash takes. Without its file a Sentinel is as at the beginning, with this master.
    pub fn crash(&mut self, disk: DiskFate, master: NodeId) {
        self.file.crash(disk);
        let first = Conf { master, config_epoch: 0, epoch: 0, vote: None };
        self.conf = self.file.records().last().copied().unwrap_or(first);
        self.forget_answers();
    }

    /// Its configuration file.
    pub fn disk(&mut self) -> &mut dyn Syncs {
        &mut self.file
    }

    pub fn save(&mut self) {
        self.file.compact(self.conf);
    }

    pub fn others(&self) -> impl Iterator<Item = NodeId> {
        self.peers.keys().copied()
    }

    /// An epoch was heard of.
    pub fn see(&mut self, epoch: u64) {
        if epoch > self.conf.epoch {
            self.conf.epoch = epoch;
            self.save();
        }
    }

    /// A new epoch, in which to become its leader.
    pub fn begin(&mut self) -> u64 {
        self.see(self.conf.epoch + 1);
        self.conf.epoch
    }

    /// Votes, unless it has voted in this epoch (`sentinelVoteLeader`). Says whether it did so just now.
    pub fn vote(&mut self, epoch: u64, candidate: NodeId) -> bool {
        self.see(epoch);
        let voted_in = self.conf.vote.map_or(0, |(_, epoch)| epoch);
        let votes = voted_in < epoch && self.conf.epoch <= epoch;
        if votes {
            self.conf.vote = Some((candidate, epoch));
            self.save();
        }
        votes
    }

    /// The other Sentinels that are to be asked whether the master is down: answers that are too old count no more, and
    /// nobody is asked more than once a second, unless at once.
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

    /// How many others find the master down.
    pub fn find_down(&self) -> u32 {
        self.peers.values().filter(|peer| peer.finds_down).count() as u32
    }

    pub fn forget_answers(&mut self) {
        self.peers.values_mut().for_each(|peer| *peer = Peer::default());
    }

    /// Who leads the epoch: a majority of all Sentinels, and the quorum, voted for it. This one votes with the others if
    /// it has not voted yet, and for itself if they have not either (`sentinelGetLeader`).
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

    fn of_three() -> Election {
        Election::new(ME, [OTHER, NodeId(3)].into_iter(), NodeId(0))
    }

    #[test]
    fn a_sentinel_votes_once_in_an_epoch_and_remembers_that() {
        let mut election = of_three();
        assert!(election.vote(1, OTHER) && !election.vote(1, NodeId(3)));
        election.crash(DiskFate::Unsynced, NodeId(0));
        assert!(!election.vote(1, NodeId(3)) && election.vote(2, NodeId(3)));
        assert_eq!(election.conf.vote, Some((NodeId(3), 2)));
    }

    #[test]
    fn one_vote_of_three_does_not_lead_and_two_do() {
        let mut election = of_three();
        let epoch = election.begin();
        assert_eq!(election.leader(epoch, 2), None);
        election.answer(Wall(0), OTHER, true, Some((ME, epoch)));
        assert_eq!(election.leader(epoch, 2), Some(ME));
        assert_eq!(election.leader(epoch, 3), None, "the quorum may ask for more than a majority");
    }

    #[test]
    fn votes_of_another_epoch_do_not_count() {
        let mut election = of_three();
        let epoch = election.begin();
        election.answer(Wall(0), OTHER, true, Some((ME, epoch + 1)));
        assert_eq!(election.leader(epoch, 2), None);
    }

    #[test]
    fn nobody_is_asked_twice_a_second_unless_at_once() {
        let mut election = of_three();
        assert_eq!(election.due_questions(Wall(0), false).count(), 2);
        assert_eq!(election.due_questions(Wall(999_999_999), false).count(), 0);
        assert_eq!(election.due_questions(Wall(999_999_999), true).count(), 2);
    }
}
