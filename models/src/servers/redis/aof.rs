//! The append-only file.

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Keyspace, Record};

/// How a server makes its commands durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// Not at all (`appendonly no`, the default): a restarted server is empty.
    #[default]
    None,
    /// The append-only file is synced once a second (`appendfsync everysec`).
    Everysec,
    /// The append-only file is synced before each reply (`appendfsync always`).
    Always,
}

/// The append-only file of one server.
pub struct Aof {
    persistence: Persistence,
    file: Disk<FileEntry>,
}

enum FileEntry {
    All(Keyspace),
    Change(Record),
}

/// The number of entries after which a file that is always in sync is rewritten.
const REWRITE: usize = 256;

impl Aof {
    /// An empty file.
    pub fn new(persistence: Persistence) -> Self {
        Aof { persistence, file: Disk::default() }
    }

    /// Whether the server must call [`Aof::sync`] every second.
    pub fn syncs_every_second(&self) -> bool {
        self.persistence == Persistence::Everysec
    }

    /// Appends changes, after which the data set is `now`.
    pub fn append(&mut self, records: &[Record], now: &Keyspace) {
        if self.persistence == Persistence::None {
            return;
        }
        records.iter().for_each(|record| self.file.write(FileEntry::Change(*record)));
        if self.persistence == Persistence::Always {
            self.file.sync();
            if self.file.records().len() > REWRITE {
                self.file.compact(FileEntry::All(now.clone()));
            }
        }
    }

    /// Syncs the file and rewrites it.
    pub fn sync(&mut self, now: &Keyspace) {
        self.file.compact(FileEntry::All(now.clone()));
    }

    /// Replaces the file with the data set that a replica received from its master.
    pub fn replace(&mut self, now: &Keyspace) {
        if self.persistence != Persistence::None {
            self.sync(now);
        }
    }

    /// Applies the effect of a crash.
    pub fn crash(&mut self, disk: DiskFate) {
        self.file.crash(disk);
    }

    /// Passes the file to `each`.
    pub fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        each(&mut self.file);
    }

    /// The data set that a server starts with.
    pub fn load(&self) -> Keyspace {
        let mut keys = Keyspace::default();
        for line in self.file.records() {
            match line {
                FileEntry::All(all) => keys = all.clone(),
                FileEntry::Change(record) => keys.replay(record),
            }
        }
        keys
    }
}
