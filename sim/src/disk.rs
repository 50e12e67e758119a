//! A node's disk as a log of records: what is written is lost at a crash unless it was synced. At the end, what faults of
//! disks do to it.

use crate::message::Message;
use crate::node::NodeId;
use crate::process::slowdown::{ActiveSlowdown, Slowdown};
use crate::schedule::InjectionId;
use crate::world::World;

/// What a crash does to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFate {
    /// Everything that was written survives, as when only the process dies.
    #[default]
    Keep,
    /// What was not synced is lost, as at a power failure.
    Unsynced,
    /// Everything is lost, as when the machine is replaced.
    Wipe,
}

/// A log of records of one service.
#[derive(Clone, Debug)]
pub struct Disk<T> {
    records: Vec<T>,
    /// So many records were synced, as their writer believes.
    synced: usize,
    /// So many of them are really safe.
    safe: usize,
    /// What is really safe of a log that was replaced by one which is not.
    replaced: Option<Vec<T>>,
    withholds: bool,
    syncs: u64,
}

/// What faults of a disk do to a log, whatever its records are.
pub trait Syncs {
    /// How often it was synced.
    fn syncs(&self) -> u64;

    /// From now on syncs make nothing safe, or do so again.
    fn withhold(&mut self, withholds: bool);

    /// Makes safe whatever was synced while that was withheld.
    fn settle(&mut self);

    /// Whether its writer believes something to be safe that is not.
    fn has_unsynced(&self) -> bool;
}

impl<T> Default for Disk<T> {
    fn default() -> Self {
        Disk { records: Vec::new(), synced: 0, safe: 0, replaced: None, withholds: false, syncs: 0 }
    }
}

impl<T> Disk<T> {
    /// Appends a record, not yet safe.
    pub fn write(&mut self, record: T) {
        self.records.push(record);
    }

    /// Makes all that was written safe.
    pub fn sync(&mut self) {
        self.syncs += 1;
        self.synced = self.records.len();
        if !self.withholds {
            self.settle();
        }
    }

    /// Loses what `fate` says.
    pub fn crash(&mut self, fate: DiskFate) {
        match fate {
            DiskFate::Keep => {}
            DiskFate::Unsynced => self.keep_safe(),
            DiskFate::Wipe => self.records.clear(),
        }
        self.all_is_safe();
    }

    fn keep_safe(&mut self) {
        match self.replaced.take() {
            Some(old) => self.records = old,
            None => self.records.truncate(self.safe),
        }
    }

    fn all_is_safe(&mut self) {
        (self.synced, self.safe, self.replaced) = (self.records.len(), self.records.len(), None);
    }

    /// Replaces the log by one record that says the same, safe at once, so that the log stays short.
    pub fn compact(&mut self, snapshot: T) {
        let mut old = std::mem::take(&mut self.records);
        if self.withholds && self.replaced.is_none() {
            old.truncate(self.safe);
            self.replaced = Some(old);
        }
        self.records.push(snapshot);
        self.sync();
    }

    /// Forgets the records after the first `length`, safely at once.
    pub fn rewind(&mut self, length: usize) {
        self.records.truncate(length);
        self.all_is_safe();
    }

    /// What is on the disk, oldest first.
    pub fn records(&self) -> &[T] {
        &self.records
    }
}

impl<T> Syncs for Disk<T> {
    fn syncs(&self) -> u64 {
        self.syncs
    }

    fn withhold(&mut self, withholds: bool) {
        self.withholds = withholds;
    }

    fn settle(&mut self) {
        (self.safe, self.replaced) = (self.synced, None);
    }

    fn has_unsynced(&self) -> bool {
        self.replaced.is_some() || self.safe < self.synced
    }
}

impl<M: Message, N: Message> World<M, N> {
    /// Syncs make nothing safe while the disk lies, or until they return.
    pub(crate) fn withhold_syncs(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        let withholds = node.slowdowns.iter().any(ActiveSlowdown::concerns_disk);
        if let Some(service) = &mut node.service {
            service.disks(&mut |disk| disk.withhold(withholds));
        }
    }

    /// A sync that `by` held up returned: what it was for is safe, unless the disk lies or the sync waits for another
    /// stall, too. A stall that began meanwhile does not hold it up.
    pub(crate) fn settle_disks(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let waits_for = |other: InjectionId| node.paused_by.iter().any(|pause| pause.by == other);
        let unsafe_still = |active: &ActiveSlowdown| match active.slowdown {
            Slowdown::DiskLies => true,
            Slowdown::DiskStalls => active.by != by && waits_for(active.by),
            Slowdown::DiskIsSlow(_) | Slowdown::Slow(_) => false,
        };
        if node.slowdowns.iter().any(unsafe_still) {
            return;
        }
        if let Some(service) = &mut node.service {
            service.disks(&mut |disk| disk.settle());
        }
    }

    /// The lies of its disk made a difference if a crash loses what they claimed.
    pub(crate) fn touch_lies(&mut self, id: NodeId, fate: DiskFate) {
        let node = &mut self.nodes[id.index()];
        let lies = std::mem::take(&mut node.lies);
        let still_on = |by: &InjectionId| node.slowdowns.iter().any(|active| active.by == *by);
        node.lies = lies.iter().copied().filter(still_on).collect();
        let mut has_unsynced = false;
        if let Some(service) = node.service.as_mut().filter(|_| fate == DiskFate::Unsynced) {
            service.disks(&mut |disk| has_unsynced |= disk.has_unsynced());
        }
        for by in lies.into_iter().filter(|_| has_unsynced) {
            self.touch(by, &[id]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Disk<u32> {
        let mut disk = Disk::default();
        disk.write(1);
        disk.sync();
        disk.write(2);
        disk
    }

    #[test]
    fn a_crash_loses_what_its_fate_says() {
        for (fate, left) in [(DiskFate::Keep, &[1, 2][..]), (DiskFate::Unsynced, &[1]), (DiskFate::Wipe, &[])] {
            let mut disk = written();
            disk.crash(fate);
            assert_eq!(disk.records(), left, "{fate:?}");
        }
    }

    #[test]
    fn what_was_synced_while_that_was_withheld_is_lost() {
        let mut disk = written();
        disk.withhold(true);
        disk.sync();
        assert!(disk.has_unsynced());
        disk.crash(DiskFate::Unsynced);
        assert_eq!((disk.records(), disk.has_unsynced()), (&[1][..], false));
    }

    #[test]
    fn the_old_log_comes_back_if_its_replacement_was_never_safe() {
        let mut disk = written();
        disk.withhold(true);
        disk.compact(12);
        disk.compact(13);
        disk.crash(DiskFate::Unsynced);
        assert_eq!(disk.records(), [1]);
    }

    #[test]
    fn an_honest_sync_makes_safe_what_was_owed() {
        let mut disk = written();
        disk.withhold(true);
        disk.compact(12);
        disk.withhold(false);
        disk.write(3);
        disk.sync();
        disk.crash(DiskFate::Unsynced);
        assert_eq!(disk.records(), [12, 3]);
    }
}
