//! The durable part of a server: a log of changes, and the tables that follow from it.

use std::collections::BTreeMap;

use fencepost_sim::Wall;
use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use serde::Serialize;

use crate::guarded::{Change, Row};
use crate::history::{GrantId, ResourceId};

/// A committed change.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// Of the guarded row.
    Row(Change),
    /// Of the table of lock rows.
    Lease(ResourceId, LeaseRow),
}

/// A row of the table of lock rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeaseRow {
    /// `lock_until`, in milliseconds.
    pub until: i64,
    /// `locked_at`, in milliseconds.
    pub at: i64,
    /// `locked_by`.
    pub by: u16,
    /// The grant of the row until the next change. Ground truth only.
    pub holder: Option<GrantId>,
}

/// A database's tables and their log.
pub(super) struct Tables {
    stock: u32,
    pub row: Row,
    pub leases: BTreeMap<ResourceId, LeaseRow>,
    log: Disk<Entry>,
}

impl Tables {
    pub fn new(stock: u32) -> Self {
        Tables { stock, row: Row::new(stock.into()), leases: BTreeMap::new(), log: Disk::default() }
    }

    /// Makes a change durable, then applies it; replies are sent only afterwards.
    pub fn commit(&mut self, entry: Entry) {
        self.append(entry);
        self.apply(entry);
    }

    /// Makes a change durable that is to be applied later.
    pub fn append(&mut self, entry: Entry) {
        self.log.write(entry);
        self.log.sync();
    }

    /// Applies a durable change.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Row(change) => self.row.apply(change),
            Entry::Lease(resource, row) => {
                self.leases.insert(resource, row);
            }
        }
    }

    /// The length of the log in entries.
    pub fn length(&self) -> u32 {
        self.log.records().len() as u32
    }

    /// The log between two positions.
    pub fn between(&self, from: u32, to: u32) -> Vec<Entry> {
        let records = self.log.records();
        let to = (to as usize).min(records.len());
        records[(from as usize).min(to)..to].to_vec()
    }

    /// Truncates the log at this length.
    pub fn rewind(&mut self, length: u32) {
        self.log.rewind(length as usize);
        self.replay();
    }

    /// Passes the log to `each`.
    pub fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        each(&mut self.log);
    }

    pub fn crash(&mut self, fate: DiskFate) {
        self.log.crash(fate);
        self.replay();
    }

    fn replay(&mut self) {
        self.row = Row::new(self.stock.into());
        self.leases.clear();
        for entry in self.log.records().to_vec() {
            self.apply(entry);
        }
    }
}

/// Milliseconds of a wall clock, as the columns hold them.
pub fn millis(wall: Wall) -> i64 {
    wall.0.div_euclid(1_000_000)
}
