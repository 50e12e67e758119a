//! The catalog of locks, kinds of fault and workloads that files may name, each with its keys.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fencepost_models::{Lock, LockInfo, Params, VariantInfo, server_names};
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

/// The parameters of a lock, in a type that its [`LockFormat`] knows.
pub type LockParams = Arc<dyn Any + Send + Sync>;

/// A lock or a variant of one: its facts, and how files configure it.
#[derive(Clone, Copy)]
pub struct LockFormat {
    /// The facts. The name of a variant that is not the default is `LOCK:VARIANT`.
    pub info: LockInfo,
    /// The lock's name without a variant.
    pub lock: &'static str,
    /// The variant, if this is not the default.
    pub variant: Option<&'static VariantInfo>,
    /// Returns the schema of the parameters.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads the parameters, or returns the documented defaults if there is no table.
    pub parse: fn(Option<Reader<'_>>) -> Result<LockParams, Mistake>,
    /// Returns the names of the server nodes that the lock deploys with these parameters.
    pub servers: fn(&LockParams) -> Vec<String>,
    /// Returns the facts with these parameters.
    pub info_with: fn(&LockParams) -> LockInfo,
    pub(crate) configure: fn(&LockFormat, Option<LockParams>, Timing, &[String]) -> LockParams,
    /// Returns the parameters as JSON.
    pub as_json: fn(&LockParams) -> serde_json::Value,
    /// Returns the approximate time after which a crashed holder is replaced; `None` if the lock has no expiry.
    pub effective_expiry: fn(&LockParams) -> Option<Duration>,
    /// Returns the longest time from a holder's crash until a waiter gets the lock, without other faults.
    pub takeover_bound: fn(&LockParams) -> Duration,
}

/// A kind of fault, and how files configure it.
#[derive(Clone, Copy)]
pub struct FaultEntry {
    /// The facts.
    pub info: &'static FaultInfo,
    /// Returns the schema of the kind's own keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads the kind's own keys.
    pub parse: fn(Reader<'_>) -> Result<Arc<dyn Fault>, Mistake>,
}

/// How files configure a workload.
#[derive(Clone, Copy)]
pub struct WorkloadFormat {
    /// The name: `[workload.NAME]`.
    pub name: &'static str,
    /// Returns the schema of the keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads the keys.
    pub parse: fn(Reader<'_>) -> Result<WorkloadConfig, Mistake>,
    /// Returns the workload with default keys.
    pub default: fn() -> WorkloadConfig,
}

/// The locks, faults and workloads that files may name, in the order of lists and reports.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    locks: Vec<LockFormat>,
    /// The variants that are not defaults, in the order of their locks.
    variants: Vec<LockFormat>,
    faults: Vec<FaultEntry>,
    workloads: Vec<WorkloadFormat>,
    /// Read at first use.
    expectations: OnceLock<Result<LockExpectations, Vec<Problem>>>,
}

impl Catalog {
    /// Adds a lock.
    ///
    /// # Panics
    /// If a lock of this name already exists, because users select locks by name.
    pub fn add_lock(&mut self, lock: LockFormat) {
        let name = lock.info.name;
        assert!(self.locks.iter().all(|known| known.info.name != name), "two locks are named `{name}`");
        self.locks.push(lock);
        self.variants.extend(lock.variants());
        self.expectations = OnceLock::new();
    }

    /// Adds a kind of fault, with its presets.
    ///
    /// # Panics
    /// If a kind or a preset of the same name already exists.
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
    /// If a workload of this name already exists.
    pub fn add_workload(&mut self, workload: WorkloadFormat) {
        assert!(self.workload_format(workload.name).is_none(), "two workloads are named `{}`", workload.name);
        self.workloads.push(workload);
    }

    /// Returns all locks.
    pub fn lock_formats(&self) -> &[LockFormat] {
        &self.locks
    }

    /// Returns all variants that are not defaults.
    pub fn variant_formats(&self) -> &[LockFormat] {
        &self.variants
    }

    /// Returns the names of all locks.
    pub fn lock_names(&self) -> impl Iterator<Item = &'static str> {
        self.locks.iter().map(|lock| lock.info.name)
    }

    /// Returns the names of all variants that are not defaults.
    pub fn variant_names(&self) -> impl Iterator<Item = &'static str> {
        self.variants.iter().map(|lock| lock.info.name)
    }

    /// Returns the lock or variant of this name: `LOCK` or `LOCK:VARIANT`. The name of the default variant selects the
    /// lock itself.
    pub fn find_lock(&self, name: &str) -> Option<&LockFormat> {
        let is_named = |lock: &&LockFormat| {
            let default = lock.info.variants.first().filter(|_| lock.variant.is_none());
            let (base, variant) = name.split_once(':').unwrap_or((name, ""));
            lock.name() == name || (lock.lock == base && default.is_some_and(|default| default.name == variant))
        };
        self.locks.iter().chain(&self.variants).find(is_named)
    }

    /// Returns a lock and its variants.
    pub fn variants_of(&self, lock: &str) -> impl Iterator<Item = &LockFormat> {
        self.locks.iter().chain(&self.variants).filter(move |format| format.lock == lock)
    }

    /// Returns the expectations of all locks, from their `expectations.toml`.
    ///
    /// # Errors
    /// The problems of the first file with an error.
    pub(crate) fn expectations(&self) -> Result<&LockExpectations, &[Problem]> {
        let read = self.expectations.get_or_init(|| LockExpectations::read(self));
        read.as_ref().map_err(Vec::as_slice)
    }

    /// Returns the kind of fault of this name.
    pub fn fault(&self, name: &str) -> Option<&FaultEntry> {
        self.faults.iter().find(|entry| entry.info.name == name)
    }

    /// Returns all kinds of fault.
    pub fn faults(&self) -> &[FaultEntry] {
        &self.faults
    }

    /// Returns the preset of this name and its kind of fault.
    pub fn preset(&self, name: &str) -> Option<(&FaultEntry, &'static Preset)> {
        let presets = |entry: &FaultEntry| entry.info.presets.iter().find(|preset| preset.name == name);
        self.faults.iter().find_map(|entry| Some((entry, presets(entry)?)))
    }

    /// Returns the workload of this name.
    pub fn workload_format(&self, name: &str) -> Option<&WorkloadFormat> {
        self.workloads.iter().find(|workload| workload.name == name)
    }

    /// Returns all workloads.
    pub fn workload_formats(&self) -> &[WorkloadFormat] {
        &self.workloads
    }
}

impl LockFormat {
    /// Creates the format of a lock.
    pub fn new<L: Lock>() -> Self {
        LockFormat {
            info: L::INFO,
            lock: L::INFO.name,
            variant: None,
            schema: L::Params::json_schema,
            parse: parse_params::<L::Params>,
            servers: |params| params.downcast_ref::<L::Params>().map(server_names::<L>).unwrap_or_default(),
            info_with: |params| params.downcast_ref::<L::Params>().map_or(L::INFO, L::info),
            configure: configure::<L::Params>,
            as_json: |params| {
                let params = params.downcast_ref::<L::Params>().expect("a lock's parameters have its own type");
                serde_json::to_value(params).expect("parameters are plain data")
            },
            effective_expiry: |params| params.downcast_ref::<L::Params>().and_then(Params::effective_expiry),
            takeover_bound: |params| {
                let params = params.downcast_ref::<L::Params>().expect("a lock's parameters have its own type");
                L::takeover_bound(params, &BoundAllowance::default())
            },
        }
    }

    /// Returns the variants of the lock that are not the default.
    fn variants(&self) -> impl Iterator<Item = LockFormat> + use<> {
        let lock = *self;
        self.info.variants.iter().skip(1).map(move |variant| {
            let format = LockFormat { variant: Some(variant), ..lock };
            LockFormat { info: format.info_for(&format.default_params()), ..format }
        })
    }

    /// Returns the facts with these parameters, under the name of the variant.
    pub fn info_for(&self, params: &LockParams) -> LockInfo {
        let name = self.variant.map_or(self.lock, |variant| intern(format!("{}:{}", self.lock, variant.name)));
        LockInfo { name, ..(self.info_with)(params) }
    }

    /// Returns the given parameters or the documented defaults, with the settings of the variant, the timing for all
    /// locks, and the bugs of the modelled version. Of `bugs`, `NAME` is on and `!NAME` is off.
    pub fn configure(&self, own: Option<LockParams>, timing: Timing, bugs: &[String]) -> LockParams {
        (self.configure)(self, own, timing, bugs)
    }

    /// Returns the documented defaults of the parameters.
    pub fn default_params(&self) -> LockParams {
        self.configure(None, Timing::Default, &[])
    }

    /// Returns the documented defaults of the parameters as JSON.
    pub fn defaults(&self) -> serde_json::Value {
        (self.as_json)(&self.default_params())
    }

    /// Returns the approximate time after which a crashed holder is replaced, with the documented defaults.
    pub fn default_expiry(&self) -> Option<Duration> {
        (self.effective_expiry)(&self.default_params())
    }

    /// Returns the name used in files and reports.
    pub fn name(&self) -> &'static str {
        self.info.name
    }
}

fn parse_params<P: Params>(table: Option<Reader<'_>>) -> Result<LockParams, Mistake> {
    let params = table.map_or_else(|| Ok(P::default()), P::deserialize)?;
    params.check().map_err(Mistake::custom)?;
    Ok(Arc::new(params))
}

fn configure<P: Params>(lock: &LockFormat, own: Option<LockParams>, timing: Timing, bugs: &[String]) -> LockParams {
    let mut params = own.and_then(|own| own.downcast_ref::<P>().cloned()).unwrap_or_default();
    if let Some(variant) = lock.variant {
        assert!(params.set_variant(variant.name), "{} has no variant `{}`", lock.lock, variant.name);
    }
    match timing {
        Timing::Default => {}
        Timing::Ttl(ttl) => params.set_ttl(ttl),
        Timing::Effective(effective) => params.set_effective(effective),
    }
    for bug in lock.info.bugs {
        params.set_bug(bug.name, bug.default_on);
    }
    for bug in bugs {
        let (bug, on) = bug.strip_prefix('!').map_or((bug.as_str(), true), |bug| (bug, false));
        params.set_bug(bug, on);
    }
    Arc::new(params)
}

/// Returns the name with an unlimited lifetime. Each name is kept once.
fn intern(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().expect("no holder panics");
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = name.leak();
    names.insert(name);
    name
}

impl FaultEntry {
    /// Reads a fault with these keys.
    ///
    /// # Errors
    /// If a key is invalid.
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

/// Entries are displayed by name, because function addresses are meaningless.
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
