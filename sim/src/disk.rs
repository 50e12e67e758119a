//! A node's disk as a log of records: what is written is lost at a crash unless it was synced.

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
    synced: usize,
}

impl<T> Default for Disk<T> {
    fn default() -> Self {
        Disk { records: Vec::new(), synced: 0 }
    }
}

impl<T> Disk<T> {
    /// Appends a record, not yet safe.
    pub fn write(&mut self, record: T) {
        self.records.push(record);
    }

    /// Makes all that was written safe.
    pub fn sync(&mut self) {
        self.synced = self.records.len();
    }

    /// Loses what `fate` says.
    pub fn crash(&mut self, fate: DiskFate) {
        match fate {
            DiskFate::Keep => {}
            DiskFate::Unsynced => self.records.truncate(self.synced),
            DiskFate::Wipe => self.records.clear(),
        }
        self.synced = self.records.len();
    }

    /// Replaces the log by one record that says the same, safe at once, so that the log stays short.
    pub fn compact(&mut self, snapshot: T) {
        self.records.clear();
        self.records.push(snapshot);
        self.sync();
    }

    /// What is on the disk, oldest first.
    pub fn records(&self) -> &[T] {
        &self.records
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
}
