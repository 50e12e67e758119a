//! What there is to choose from: locks, faults and workloads. A registry is a value that is passed down, never global;
//! its entries carry what the rest needs as function pointers, so that one from outside is as good as one of ours.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fencepost_models::guarded::STORE_BUGS;
use fencepost_models::locks;
use fencepost_models::{BugInfo, Lock, LockInfo, Params, server_names};

use fencepost_sim::faults::{self, BoundAllowance, Fault, FaultInfo, FaultKind, KindVisitor, Preset};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use toml::de::{Error, ValueDeserializer};

use crate::file::{LockExpectations, Problem, Timing};
use crate::run::case::{self, CaseReport};
use crate::run::cell::Cell;
use crate::run::recorder::Watcher;
pub use crate::workload::WorkloadKind;
use crate::workload::{Compute, Dose, Inventory, Notify, SharedFile, SharedSet, Transfer, Workload, WorkloadInfo};

/// A lock's parameters, of the type that its entry knows.
pub type LockParams = Arc<dyn Any + Send + Sync>;

/// Runs a case of a cell: its seed, and who watches.
pub type RunCase = fn(&Cell, u64, Option<Rc<RefCell<dyn Watcher>>>) -> CaseReport;

/// A lock in the registry.
#[derive(Clone, Copy)]
pub struct LockEntry {
    /// What it is.
    pub info: LockInfo,
    /// The schema of its parameters.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads its parameters; without a table, the documented defaults.
    pub parse: fn(Option<ValueDeserializer<'_>>) -> Result<LockParams, Error>,
    /// The names of the server nodes that it deploys with these parameters.
    pub servers: fn(&LockParams) -> Vec<String>,
    /// Its own parameters or the documented defaults, with a timing for all locks and with bugs switched on.
    pub configure: fn(Option<LockParams>, Timing, &[String]) -> LockParams,
    /// Its parameters with the documented defaults, as data.
    pub defaults: fn() -> serde_json::Value,
    /// After about how long a crashed holder is replaced.
    pub effective_expiry: fn(&LockParams) -> Option<Duration>,
    /// After a holder's crash a waiter gets the lock within this, if no other fault comes.
    pub takeover_bound: fn(&LockParams) -> Duration,
    /// Runs a case of one of its cells.
    pub run: RunCase,
}

/// A kind of fault in the registry.
#[derive(Clone, Copy)]
pub struct FaultEntry {
    /// What the kind says about itself.
    pub info: &'static FaultInfo,
    /// The schema of its own keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads its own keys.
    pub parse: fn(ValueDeserializer<'_>) -> Result<Arc<dyn Fault>, Error>,
}

/// A workload in the registry.
#[derive(Clone, Copy)]
pub struct WorkloadEntry {
    /// The facts that do not depend on its keys.
    pub info: &'static WorkloadInfo,
    /// The schema of its keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads its keys.
    pub parse: fn(ValueDeserializer<'_>) -> Result<Workload, Error>,
}

/// All there is to choose from, in the order of lists and reports.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    locks: Vec<LockEntry>,
    faults: Vec<FaultEntry>,
    workloads: Vec<WorkloadEntry>,
    /// Read at first use.
    expectations: OnceLock<Result<LockExpectations, Vec<Problem>>>,
}

impl Registry {
    /// What fencepost ships.
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
    /// If there is one of this name already: names are how users choose.
    pub fn with<L: Lock>(mut self) -> Self {
        assert!(self.lock(L::INFO.name).is_none(), "two locks are named `{}`", L::INFO.name);
        self.locks.push(LockEntry::of::<L>());
        self.expectations = OnceLock::new();
        self
    }

    /// Adds the kinds of fault that fencepost ships.
    fn standard_faults(mut self) -> Self {
        faults::visit_standard(&mut self);
        self
    }

    /// Adds a kind of fault, with its presets.
    ///
    /// # Panics
    /// If a kind or a preset of the same name is registered already.
    pub fn fault_kind<F: FaultKind>(mut self) -> Self {
        assert!(self.fault(F::INFO.name).is_none(), "two kinds of fault are named `{}`", F::INFO.name);
        for preset in F::INFO.presets {
            assert!(self.preset(preset.name).is_none(), "two presets are named `{}`", preset.name);
        }
        self.faults.push(FaultEntry::of::<F>());
        self
    }

    /// Adds a workload.
    ///
    /// # Panics
    /// If there is one of this name already.
    pub fn workload_kind<W: WorkloadKind>(mut self) -> Self {
        assert!(self.workload(W::INFO.name).is_none(), "two workloads are named `{}`", W::INFO.name);
        self.workloads.push(WorkloadEntry::of::<W>());
        self
    }

    /// The lock of this name.
    pub fn lock(&self, name: &str) -> Option<&LockEntry> {
        self.locks.iter().find(|entry| entry.info.name == name)
    }

    /// All locks.
    pub fn locks(&self) -> &[LockEntry] {
        &self.locks
    }

    /// What the locks expect of scenarios, from their `expectations.toml`.
    ///
    /// # Errors
    /// The problems of the first such file that is wrong.
    pub(crate) fn expectations(&self) -> Result<&LockExpectations, &[Problem]> {
        let read = self.expectations.get_or_init(|| LockExpectations::read(self));
        read.as_ref().map_err(Vec::as_slice)
    }

    /// All bugs that can be switched on, each with the lock that has it, or with `store`: those are bugs of what the lock
    /// guards, and go with every lock.
    pub fn bugs(&self) -> impl Iterator<Item = (&'static str, &'static BugInfo)> {
        let of_locks = self.locks.iter().flat_map(|lock| lock.info.bugs.iter().map(|bug| (lock.info.name, bug)));
        of_locks.chain(STORE_BUGS.iter().map(|bug| ("store", bug)))
    }

    /// The kind of fault of this name.
    pub fn fault(&self, name: &str) -> Option<&FaultEntry> {
        self.faults.iter().find(|entry| entry.info.name == name)
    }

    /// All kinds of fault.
    pub fn faults(&self) -> &[FaultEntry] {
        &self.faults
    }

    /// The preset of this name, and the kind of fault that it belongs to.
    pub fn preset(&self, name: &str) -> Option<(&FaultEntry, &'static Preset)> {
        self.faults
            .iter()
            .find_map(|entry| Some((entry, entry.info.presets.iter().find(|preset| preset.name == name)?)))
    }

    /// The workload of this name.
    pub fn workload(&self, name: &str) -> Option<&WorkloadEntry> {
        self.workloads.iter().find(|entry| entry.info.name == name)
    }

    /// All workloads.
    pub fn workloads(&self) -> &[WorkloadEntry] {
        &self.workloads
    }
}

impl LockEntry {
    /// The entry of a lock.
    pub fn of<L: Lock>() -> Self {
        LockEntry {
            info: L::INFO,
            schema: L::Params::json_schema,
            parse: parse_params::<L::Params>,
            servers: |params| params.downcast_ref::<L::Params>().map(server_names::<L>).unwrap_or_default(),
            configure: configure::<L::Params>,
            defaults: || serde_json::to_value(L::Params::default()).expect("parameters are plain data"),
            effective_expiry: |params| params.downcast_ref::<L::Params>().and_then(Params::effective_expiry),
            takeover_bound: |params| {
                let params = params.downcast_ref::<L::Params>().expect("a lock's parameters are of its own type");
                L::takeover_bound(params, &BoundAllowance::default())
            },
            run: case::run_lock::<L>,
        }
    }

    /// After about how long a crashed holder is replaced, with the documented defaults.
    pub fn default_expiry(&self) -> Option<Duration> {
        (self.effective_expiry)(&(self.configure)(None, Timing::Default, &[]))
    }

    /// Its name in files and reports.
    pub fn name(&self) -> &'static str {
        self.info.name
    }
}

fn parse_params<P: Params>(table: Option<ValueDeserializer<'_>>) -> Result<LockParams, Error> {
    let params = table.map_or_else(|| Ok(P::default()), P::deserialize)?;
    params.check().map_err(Error::custom)?;
    Ok(Arc::new(params))
}

fn configure<P: Params>(own: Option<LockParams>, timing: Timing, bugs: &[String]) -> LockParams {
    let mut params = own.and_then(|own| own.downcast_ref::<P>().cloned()).unwrap_or_default();
    match timing {
        Timing::Default => {}
        Timing::Ttl(ttl) => params.set_ttl(ttl),
        Timing::Effective(effective) => params.set_effective(effective),
    }
    for bug in bugs {
        params.set_bug(bug);
    }
    Arc::new(params)
}

impl FaultEntry {
    /// The entry of a kind of fault.
    pub fn of<F: FaultKind>() -> Self {
        FaultEntry { info: F::INFO, schema: F::json_schema, parse: |keys| Ok(Arc::new(F::deserialize(keys)?)) }
    }
}

impl WorkloadEntry {
    /// The entry of a workload.
    pub fn of<W: WorkloadKind>() -> Self {
        WorkloadEntry {
            info: const { &W::INFO },
            schema: W::json_schema,
            parse: |keys| Ok(Workload::new(&W::deserialize(keys)?)),
        }
    }
}

impl KindVisitor for Registry {
    fn visit<F: FaultKind>(&mut self) {
        *self = std::mem::take(self).fault_kind::<F>();
    }
}

/// Entries are shown by name: their function pointers say nothing.
impl fmt::Debug for WorkloadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info.name)
    }
}

impl fmt::Debug for FaultEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

impl fmt::Debug for LockEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
