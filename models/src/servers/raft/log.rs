//! The log of a replica, in memory and on the disk.

use std::rc::Rc;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot as RaftSnapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use super::machine::Machine;
use super::packet::{Shared, Snapshot};

/// The newest snapshot, the entries around and after it, and raft's hard state.
#[derive(Clone, Debug)]
pub(super) struct Log<M: Machine> {
    voters: ConfState,
    state: State<M>,
    disk: Disk<Record<M>>,
    fsync: bool,
}

#[derive(Clone, Debug)]
struct State<M: Machine> {
    hard: HardState,
    /// Index and term of the entry before the first kept one.
    base: (u64, u64),
    entries: Vec<Entry>,
    snapshot: Snapshot<M>,
}

#[derive(Clone, Debug)]
enum Record<M: Machine> {
    Hard(HardState),
    /// Replaces all entries from the first of these indices on.
    Entries(Vec<Entry>),
    Checkpoint(Box<State<M>>),
}

impl<M: Machine> Log<M> {
    /// The empty log of a cluster of this size. Without `fsync`, nothing is ever synced.
    pub fn new(replicas: usize, machine: M, fsync: bool) -> Self {
        let voters = ConfState { voters: (1..=replicas as u64).collect(), ..ConfState::default() };
        Log { voters, state: State::empty(machine), disk: Disk::default(), fsync }
    }

    pub fn write_hard(&mut self, hard: HardState) {
        self.state.hard = hard.clone();
        self.disk.write(Record::Hard(hard));
    }

    pub fn write_commit(&mut self, commit: u64) {
        let mut hard = self.state.hard.clone();
        hard.commit = commit;
        self.write_hard(hard);
    }

    pub fn append(&mut self, entries: Vec<Entry>) {
        self.state.append(&entries);
        self.disk.write(Record::Entries(entries));
    }

    pub fn disk(&mut self) -> &mut dyn Syncs {
        &mut self.disk
    }

    pub fn sync(&mut self) {
        if self.fsync {
            self.disk.sync();
        }
    }

    /// Replaces all entries by a snapshot from the leader.
    pub fn install(&mut self, snapshot: Snapshot<M>) {
        self.state.base = (snapshot.index, snapshot.term);
        self.state.entries.clear();
        self.state.hard.commit = self.state.hard.commit.max(snapshot.index);
        self.state.snapshot = snapshot;
        self.checkpoint();
    }

    /// Saves `machine`, the state after `index`, and drops all but the last `keep` entries up to there.
    pub fn compact(&mut self, index: u64, machine: M, keep: u64) {
        let term = self.term(index).expect("applied entries are in the log");
        self.state.snapshot = Snapshot { index, term, machine: Shared(Rc::new(machine)) };
        let base = index.saturating_sub(keep).max(self.state.base.0);
        let base_term = self.term(base).expect("the new base is still in the log");
        self.state.entries.drain(..(base - self.state.base.0) as usize);
        self.state.base = (base, base_term);
        self.checkpoint();
    }

    fn checkpoint(&mut self) {
        let record = Record::Checkpoint(Box::new(self.state.clone()));
        if self.fsync {
            self.disk.compact(record);
        } else {
            // The synced length must not grow: all of it is still in the page cache only.
            self.disk.write(record);
        }
    }

    /// Loses unsynced data according to `fate` and reads back the rest; `machine` is the state before the first entry.
    pub fn crash(&mut self, fate: DiskFate, machine: M) {
        self.disk.crash(fate);
        self.state = State::empty(machine);
        for record in self.disk.records() {
            match record {
                Record::Hard(hard) => self.state.hard = hard.clone(),
                Record::Entries(entries) => self.state.append(entries),
                Record::Checkpoint(state) => self.state = (**state).clone(),
            }
        }
    }

    pub fn newest_snapshot(&self) -> &Snapshot<M> {
        &self.state.snapshot
    }

    /// The metadata of a snapshot for raft; the state itself travels beside the message.
    pub fn describe(&self, snapshot: &Snapshot<M>) -> RaftSnapshot {
        let mut described = RaftSnapshot::default();
        described.mut_metadata().index = snapshot.index;
        described.mut_metadata().term = snapshot.term;
        described.mut_metadata().set_conf_state(self.voters.clone());
        described
    }

    fn last(&self) -> u64 {
        self.state.base.0 + self.state.entries.len() as u64
    }
}

impl<M: Machine> State<M> {
    fn empty(machine: M) -> Self {
        let snapshot = Snapshot { index: 0, term: 0, machine: Shared(Rc::new(machine)) };
        State { hard: HardState::default(), base: (0, 0), entries: Vec::new(), snapshot }
    }

    fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        self.entries.truncate((first.index - self.base.0 - 1) as usize);
        self.entries.extend_from_slice(entries);
    }
}

impl<M: Machine> Storage for Log<M> {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.state.hard.clone(), self.voters.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let base = self.state.base.0;
        if low <= base {
            return Err(Error::Store(StorageError::Compacted));
        }
        let mut entries = self.state.entries[(low - base - 1) as usize..(high - base - 1) as usize].to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> Result<u64> {
        let (base, base_term) = self.state.base;
        match index.checked_sub(base) {
            None => Err(Error::Store(StorageError::Compacted)),
            Some(0) => Ok(base_term),
            Some(nth) => (self.state.entries.get(nth as usize - 1).map(|entry| entry.term))
                .ok_or(Error::Store(StorageError::Unavailable)),
        }
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.state.base.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, _: u64, _: u64) -> Result<RaftSnapshot> {
        Ok(self.describe(&self.state.snapshot))
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::GroundTruthLog;
    use super::*;

    #[derive(Clone, Debug, serde::Serialize)]
    struct Nothing(u32);

    impl Machine for Nothing {
        type Command = ();
        type Answer = ();
        fn apply(&mut self, _: &mut GroundTruthLog, _: u64, (): &()) {}
    }

    fn entries(from: u64, to: u64, term: u64) -> Vec<Entry> {
        (from..=to).map(|index| Entry { index, term, ..Entry::default() }).collect()
    }

    fn terms(log: &Log<Nothing>) -> Vec<u64> {
        (log.state.base.0..=log.last()).map(|index| log.term(index).unwrap()).collect()
    }

    #[test]
    fn later_entries_replace_earlier_ones_even_after_a_crash() {
        let mut log = Log::new(3, Nothing(0), true);
        log.append(entries(1, 4, 1));
        log.append(entries(3, 3, 2));
        log.write_hard(HardState { term: 2, vote: 1, commit: 2, ..HardState::default() });
        log.sync();
        log.append(entries(4, 9, 2));
        assert_eq!(terms(&log), [0, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
        log.crash(DiskFate::Unsynced, Nothing(0));
        assert_eq!(terms(&log), [0, 1, 1, 2]);
        assert_eq!(log.initial_state().unwrap().hard_state.commit, 2);
        log.crash(DiskFate::Wipe, Nothing(0));
        assert_eq!(terms(&log), [0]);
    }

    #[test]
    fn a_compacted_log_keeps_its_tail_and_the_state() {
        for fsync in [true, false] {
            let mut log = Log::new(3, Nothing(0), fsync);
            log.append(entries(1, 9, 1));
            log.compact(7, Nothing(7), 2);
            log.append(entries(10, 10, 2));
            log.sync();
            log.crash(DiskFate::Keep, Nothing(0));
            assert_eq!((log.first_index().unwrap(), terms(&log)), (6, vec![1, 1, 1, 1, 1, 2]));
            assert_eq!((log.newest_snapshot().index, log.newest_snapshot().machine.0.0), (7, 7));
            assert!(log.entries(5, 7, None, GetEntriesContext::empty(false)).is_err());
            assert_eq!(log.entries(6, 8, None, GetEntriesContext::empty(false)).unwrap().len(), 2);
        }
    }
}
