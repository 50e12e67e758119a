//! What files may name: locks, kinds of fault and workloads, each with its keys.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fencepost_models::{Lock, LockInfo, Params, server_names};
use fencepost_sim::faults::{BoundAllowance, Fault, FaultInfo, FaultKind, KindVisitor, Preset};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use toml::Table;
use toml::de::DeTable;

use super::demand::WorkloadConfig;
use super::lock_expectations::LockExpectations;
use super::locks::Timing;
use super::problem::Problem;
use super::reader::{Mistake, Reader};

/// A lock's parameters, of the type that its format knows.
pub type LockParams = Arc<dyn Any + Send + Sync>;

/// The facts of a lock, and how files set it.
#[derive(Clone, Copy)]
pub struct LockFormat {
    /// Its facts.
    pub info: LockInfo,
    /// The schema of its parameters.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads its parameters; without a table, the documented defaults.
    pub parse: fn(Option<Reader<'_>>) -> Result<LockParams, Mistake>,
    /// The names of the server nodes that it deploys with these parameters.
    pub servers: fn(&LockParams) -> Vec<String>,
    /// Its own parameters or the documented defaults, with a timing for all locks and with bugs switched on.
    pub configure: fn(Option<LockParams>, Timing, &[String]) -> LockParams,
    /// Its parameters with the documented defaults, as data.
    pub defaults: fn() -> serde_json::Value,
    /// The approximate time after which a crashed holder is replaced.
    pub effective_expiry: fn(&LockParams) -> Option<Duration>,
    /// The longest time from a holder's crash until a waiter gets the lock, if no other fault comes.
    pub takeover_bound: fn(&LockParams) -> Duration,
}

/// A kind of fault, and how files set it.
#[derive(Clone, Copy)]
pub struct FaultEntry {
    /// Its facts.
    pub info: &'static FaultInfo,
    /// The schema of its own keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads its own keys.
    pub parse: fn(Reader<'_>) -> Result<Arc<dyn Fault>, Mistake>,
}

/// How files set a workload.
#[derive(Clone, Copy)]
pub struct WorkloadFormat {
    /// Its name: `[workload.NAME]`.
    pub name: &'static str,
    /// The schema of its keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads its keys.
    pub parse: fn(Reader<'_>) -> Result<WorkloadConfig, Mistake>,
    /// The workload without keys.
    pub default: fn() -> WorkloadConfig,
}

/// All that files may name, in the order of lists and reports.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    locks: Vec<LockFormat>,
    faults: Vec<FaultEntry>,
    workloads: Vec<WorkloadFormat>,
    /// Read at first use.
    expectations: OnceLock<Result<LockExpectations, Vec<Problem>>>,
}

impl Catalog {
    /// Adds a lock.
    ///
    /// # Panics
    /// If a lock of this name is there already: names are how users choose.
    pub fn add_lock(&mut self, lock: LockFormat) {
        let name = lock.info.name;
        assert!(self.locks.iter().all(|known| known.info.name != name), "two locks are named `{name}`");
        self.locks.push(lock);
        self.expectations = OnceLock::new();
    }

    /// Adds a kind of fault, with its presets.
    ///
    /// # Panics
    /// If a kind or a preset of the same name is there already.
    pub fn add_fault<F: FaultKind>(&mut self) {
        assert!(self.fault(F::INFO.name).is_none(), "two kinds of fault are named `{}`", F::INFO.name);
        for preset in F::INFO.presets {
            assert!(self.preset(preset.name).is_none(), "two presets are named `{}`", preset.name);
        }
        self.faults.push(FaultEntry {
            info: F::INFO,
            schema: F::json_schema,
            parse: |keys| Ok(Arc::new(F::deserialize(keys)?)),
        });
    }

    /// Adds a workload. The first one is the default of scenarios.
    ///
    /// # Panics
    /// If a workload of this name is there already.
    pub fn add_workload(&mut self, workload: WorkloadFormat) {
        assert!(self.workload_format(workload.name).is_none(), "two workloads are named `{}`", workload.name);
        self.workloads.push(workload);
    }

    /// All locks.
    pub fn lock_formats(&self) -> &[LockFormat] {
        &self.locks
    }

    /// The names of all locks.
    pub fn lock_names(&self) -> impl Iterator<Item = &'static str> {
        self.locks.iter().map(|lock| lock.info.name)
    }

    /// Whether a lock has this name.
    pub fn has_lock(&self, name: &str) -> bool {
        self.lock_names().any(|known| known == name)
    }

    /// What the locks expect of scenarios, from their `expectations.toml`.
    ///
    /// # Errors
    /// The problems of the first such file that is wrong.
    pub(crate) fn expectations(&self) -> Result<&LockExpectations, &[Problem]> {
        let read = self.expectations.get_or_init(|| LockExpectations::read(self));
        read.as_ref().map_err(Vec::as_slice)
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
        let presets = |entry: &FaultEntry| entry.info.presets.iter().find(|preset| preset.name == name);
        self.faults.iter().find_map(|entry| Some((entry, presets(entry)?)))
    }

    /// The workload of this name.
    pub fn workload_format(&self, name: &str) -> Option<&WorkloadFormat> {
        self.workloads.iter().find(|workload| workload.name == name)
    }

    /// All workloads.
    pub fn workload_formats(&self) -> &[WorkloadFormat] {
        &self.workloads
    }
}

impl LockFormat {
    /// The format of a lock.
    pub fn new<L: Lock>() -> Self {
        LockFormat {
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
        }
    }

    /// The approximate time after which a crashed holder is replaced, with the documented defaults.
    pub fn default_expiry(&self) -> Option<Duration> {
        (self.effective_expiry)(&(self.configure)(None, Timing::Default, &[]))
    }

    /// Its name in files and reports.
    pub fn name(&self) -> &'static str {
        self.info.name
    }
}

fn parse_params<P: Params>(table: Option<Reader<'_>>) -> Result<LockParams, Mistake> {
    let params = table.map_or_else(|| Ok(P::default()), P::deserialize)?;
    params.check().map_err(Mistake::custom)?;
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
    /// The fault with these keys.
    ///
    /// # Errors
    /// If a key is wrong.
    pub fn read(&self, keys: &Table) -> Result<Arc<dyn Fault>, Mistake> {
        let text = keys.to_string();
        let items = DeTable::parse(&text).map_err(Mistake::custom)?;
        (self.parse)(Reader::table(items.get_ref(), 0..0, &BTreeSet::new()))
    }
}

impl KindVisitor for Catalog {
    fn visit<F: FaultKind>(&mut self) {
        self.add_fault::<F>();
    }
}

/// Entries are shown by name: the addresses of their functions say nothing.
impl fmt::Debug for LockFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for FaultEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

impl fmt::Debug for WorkloadFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
