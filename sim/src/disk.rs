//! A node's disk as a log of records. A crash can lose unsynced records. The effects of disk faults are at the end.

use crate::message::Message;
use crate::node::NodeId;
use crate::process::slowdown::{ActiveSlowdown, Slowdown};
use crate::schedule::InjectionId;
use crate::world::World;

/// What a crash does to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFate {
    /// All records survive, as when only the process dies.
    #[default]
    Keep,
    /// Unsynced records are lost, as in a power failure.
    Unsynced,
    /// All records are lost, as when the machine is replaced.
    Wipe,
}

/// A log of records of one service.
#[derive(Clone, Debug)]
pub struct Disk<T> {
    records: Vec<T>,
    /// The number of records that the writer believes to be synced.
    synced: usize,
    /// The number of records that are durable.
    durable: usize,
    /// The durable part of the previous log, while the log that replaced it is not durable.
    replaced: Option<Vec<T>>,
    withholds: bool,
    syncs: u64,
}

/// The interface of disk faults to a log with any type of record.
pub trait Syncs {
    /// Returns the number of syncs so far.
    fn syncs(&self) -> u64;

    /// Makes later syncs ineffective, or effective again.
    fn withhold(&mut self, withholds: bool);

    /// Makes all synced records durable, even if they were synced while syncs were withheld.
    fn settle(&mut self);

    /// Returns whether any record that its writer synced is not durable.
    fn has_unsynced(&self) -> bool;
}

impl<T> Default for Disk<T> {
    fn default() -> Self {
        Disk { records: Vec::new(), synced: 0, durable: 0, replaced: None, withholds: false, syncs: 0 }
    }
}

impl<T> Disk<T> {
    /// Appends a record without making it durable.
    pub fn write(&mut self, record: T) {
        self.records.push(record);
    }

    /// Makes all records durable, unless syncs are withheld.
    pub fn sync(&mut self) {
        self.syncs += 1;
        self.synced = self.records.len();
        if !self.withholds {
            self.settle();
        }
    }

    /// Discards the records that a crash with this fate loses.
    pub fn crash(&mut self, fate: DiskFate) {
        match fate {
            DiskFate::Keep => {}
            DiskFate::Unsynced => self.keep_durable(),
            DiskFate::Wipe => self.records.clear(),
        }
        self.mark_durable();
    }

    fn keep_durable(&mut self) {
        match self.replaced.take() {
            Some(old) => self.records = old,
            None => self.records.truncate(self.durable),
        }
    }

    fn mark_durable(&mut self) {
        (self.synced, self.durable, self.replaced) = (self.records.len(), self.records.len(), None);
    }

    /// Replaces the log with a snapshot and syncs it, which keeps the log short.
    pub fn compact(&mut self, snapshot: T) {
        let mut old = std::mem::take(&mut self.records);
        if self.withholds && self.replaced.is_none() {
            old.truncate(self.durable);
            self.replaced = Some(old);
        }
        self.records.push(snapshot);
        self.sync();
    }

    /// Truncates the log to its first `length` records, durably.
    pub fn rewind(&mut self, length: usize) {
        self.records.truncate(length);
        self.mark_durable();
    }

    /// Returns the records, oldest first.
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
        (self.durable, self.replaced) = (self.synced, None);
    }

    fn has_unsynced(&self) -> bool {
        self.replaced.is_some() || self.durable < self.synced
    }
}

impl<M: Message, N: Message> World<M, N> {
    /// Withholds syncs while a disk fault is active, and stops withholding them otherwise.
    pub(crate) fn withhold_syncs(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        let withholds = node.slowdowns.iter().any(ActiveSlowdown::concerns_disk);
        if let Some(service) = &mut node.service {
            service.disks(&mut |disk| disk.withhold(withholds));
        }
    }

    /// Completes a sync that `by` delayed. Its records become durable, unless the disk lies or the sync also waits for
    /// another stall. A stall that began in the meantime does not delay it.
    pub(crate) fn settle_disks(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let waits_for = |other: InjectionId| node.paused_by.iter().any(|pause| pause.by == other);
        let not_durable_yet = |active: &ActiveSlowdown| match active.slowdown {
            Slowdown::DiskLies => true,
            Slowdown::DiskStalls => active.by != by && waits_for(active.by),
            Slowdown::DiskIsSlow(_) | Slowdown::Slow(_) => false,
        };
        if node.slowdowns.iter().any(not_durable_yet) {
            return;
        }
        if let Some(service) = &mut node.service {
            service.disks(&mut |disk| disk.settle());
        }
    }

    /// Marks the faults that made the disk lie as effective if this crash loses records that were reported as synced.
    pub(crate) fn touch_lies(&mut self, id: NodeId, fate: DiskFate) {
        let node = &mut self.nodes[id.index()];
        let lies = std::mem::take(&mut node.lies);
        let still_active = |by: &InjectionId| node.slowdowns.iter().any(|active| active.by == *by);
        node.lies = lies.iter().copied().filter(still_active).collect();
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
    fn each_fate_keeps_the_right_records() {
        for (fate, left) in [(DiskFate::Keep, &[1, 2][..]), (DiskFate::Unsynced, &[1]), (DiskFate::Wipe, &[])] {
            let mut disk = written();
            disk.crash(fate);
            assert_eq!(disk.records(), left, "{fate:?}");
        }
    }

    #[test]
    fn records_synced_while_syncs_are_withheld_are_lost() {
        let mut disk = written();
        disk.withhold(true);
        disk.sync();
        assert!(disk.has_unsynced());
        disk.crash(DiskFate::Unsynced);
        assert_eq!((disk.records(), disk.has_unsynced()), (&[1][..], false));
    }

    #[test]
    fn a_crash_restores_the_old_log_if_its_replacement_was_not_durable() {
        let mut disk = written();
        disk.withhold(true);
        disk.compact(12);
        disk.compact(13);
        disk.crash(DiskFate::Unsynced);
        assert_eq!(disk.records(), [1]);
    }

    #[test]
    fn an_honest_sync_makes_earlier_syncs_durable() {
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
