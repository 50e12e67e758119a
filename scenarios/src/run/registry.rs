//! The registry: the catalog for reading files, and the function that runs each lock's cases. A registry is passed as a
//! value and is never global, so an external lock can do everything that a shipped lock can.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use fencepost_models::guarded::STORE_BUGS;
use fencepost_models::{BugInfo, Lock, locks};
use fencepost_sim::faults::{self, FaultKind};
use schemars::JsonSchema;

use crate::file::{Catalog, LockFormat, LockParams, WorkloadFormat};
use crate::run::case::{self, CaseReport};
use crate::run::cell::Cell;
use crate::run::recorder::Watcher;
pub use crate::workload::WorkloadKind;
use crate::workload::{Compute, Dose, Inventory, Notify, SharedFile, SharedSet, Transfer, Workload, WorkloadInfo};

/// Runs the case of a cell with this seed, and passes its events to the watcher.
pub type RunCase = fn(&Cell, u64, Option<Rc<RefCell<dyn Watcher>>>) -> CaseReport;

/// A lock in the registry.
#[derive(Clone, Copy)]
pub struct LockEntry {
    format: LockFormat,
    /// Runs a case of one of its cells.
    pub run: RunCase,
}

/// A workload in the registry.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadEntry {
    /// The facts that do not depend on the keys.
    pub info: &'static WorkloadInfo,
}

/// The available locks, faults and workloads, in the order of lists and reports. Dereferences to the catalog, which is
/// sufficient for reading files.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    catalog: Catalog,
    locks: Vec<LockEntry>,
    /// The variants that are not defaults.
    variants: Vec<LockEntry>,
    workloads: Vec<WorkloadEntry>,
}

impl Registry {
    /// Returns a registry with everything that fencepost ships.
    pub fn standard() -> Self {
        Registry::default()
            .with::<locks::NoLock>()
            .with::<locks::LeaseServerLock>()
            .with::<locks::SqlForUpdate>()
            .with::<locks::SqlVersion>()
            .with::<locks::SqlLeaseRow>()
            .with::<locks::PgAdvisory>()
            .with::<locks::MysqlGetLock>()
            .with::<locks::RedisSetNx>()
            .with::<locks::RedisSetNxExpire>()
            .with::<locks::RedisSetPxDel>()
            .with::<locks::RedisSetPx>()
            .with::<locks::Redisson>()
            .with::<locks::RedissonFenced>()
            .with::<locks::RedisSentinel>()
            .with::<locks::Redlock>()
            .with::<locks::Zookeeper>()
            .with::<locks::Etcd>()
            .with::<locks::ConsulLock>()
            .with::<locks::ChubbyLock>()
            .with::<locks::Hazelcast>()
            .with::<locks::HazelcastCp>()
            .with::<locks::DynamoDb>()
            .with::<locks::K8sLease>()
            .standard_faults()
            .workload_kind::<Inventory>()
            .workload_kind::<Compute>()
            .workload_kind::<Notify>()
            .workload_kind::<SharedFile>()
            .workload_kind::<SharedSet>()
            .workload_kind::<Dose>()
            .workload_kind::<Transfer>()
    }

    /// Adds a lock.
    ///
    /// # Panics
    /// If a lock of this name already exists.
    pub fn with<L: Lock>(mut self) -> Self {
        let format = LockFormat::new::<L>();
        self.catalog.add_lock(format);
        let entries =
            self.catalog.variants_of(format.lock).map(|format| LockEntry { format: *format, run: case::run_lock::<L> });
        let (defaults, variants): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.variant.is_none());
        self.locks.extend(defaults);
        self.variants.extend(variants);
        self
    }

    /// Adds the kinds of fault that fencepost ships.
    fn standard_faults(mut self) -> Self {
        faults::visit_standard(&mut self.catalog);
        self
    }

    /// Adds a kind of fault, with its presets.
    ///
    /// # Panics
    /// If a kind or a preset of the same name already exists.
    pub fn fault_kind<F: FaultKind>(mut self) -> Self {
        self.catalog.add_fault::<F>();
        self
    }

    /// Adds a workload. The first one is the default of scenarios.
    ///
    /// # Panics
    /// If a workload of this name already exists.
    pub fn workload_kind<W: WorkloadKind>(mut self) -> Self {
        self.catalog.add_workload(WorkloadFormat {
            name: W::INFO.name,
            schema: <W as JsonSchema>::json_schema,
            parse: |keys| Ok(Workload::new(&W::deserialize(keys)?).into()),
            default: || Workload::new(&W::default()).into(),
        });
        self.workloads.push(WorkloadEntry { info: const { &W::INFO } });
        self
    }

    /// Returns the lock or variant of this name.
    pub fn lock(&self, name: &str) -> Option<&LockEntry> {
        let name = self.find_lock(name)?.name();
        self.locks.iter().chain(&self.variants).find(|entry| entry.name() == name)
    }

    /// Returns all locks, each in its default variant.
    pub fn locks(&self) -> &[LockEntry] {
        &self.locks
    }

    /// Returns all variants that are not defaults.
    pub fn variants(&self) -> &[LockEntry] {
        &self.variants
    }

    /// Returns all bugs that can be enabled, each with the name of its lock. Bugs of the guarded store have the name
    /// `store` and apply to every lock.
    pub fn bugs(&self) -> impl Iterator<Item = (&'static str, &'static BugInfo)> {
        let of_locks = self.locks.iter().flat_map(|lock| lock.info.bugs.iter().map(|bug| (lock.info.name, bug)));
        of_locks.chain(STORE_BUGS.iter().map(|bug| ("store", bug)))
    }

    /// Returns all workloads.
    pub fn workloads(&self) -> &[WorkloadEntry] {
        &self.workloads
    }
}

impl Deref for Registry {
    type Target = Catalog;

    fn deref(&self) -> &Catalog {
        &self.catalog
    }
}

impl LockEntry {
    /// Returns the lock with the facts that it has with these parameters.
    pub(crate) fn with_info(&self, params: &LockParams) -> LockEntry {
        let info = self.format.info_for(params);
        LockEntry { format: LockFormat { info, ..self.format }, ..*self }
    }
}

impl Deref for LockEntry {
    type Target = LockFormat;

    fn deref(&self) -> &LockFormat {
        &self.format
    }
}

/// Displayed by name, because function addresses are meaningless.
impl fmt::Debug for LockEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.format.fmt(f)
    }
}
