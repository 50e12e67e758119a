//! Scenarios.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::schedule::FaultPlan;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::catalog::{Catalog, LockFormat};
use super::demand::{WorkloadConfig, check_demand};
use super::expect::{CasePin, Expectation, case_pin, expectations};
use super::faults::{World, faults};
use super::lock_list;
use super::locks::{LockConfig, lock_config};
use super::nodes::Nodes;
use super::problem::Report;
use super::settings::{Clients, Explore, Network};
use super::table::{Entry, Table};
use super::words::{kebab_case, listed, quoted, suggestion};
use crate::property::Property;

/// A scenario as read from its file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name; by default the file's name.
    pub name: String,
    /// The description, in one or two sentences.
    pub about: String,
    /// The longest run phase, in simulated time.
    pub run_for: Duration,
    /// The locks to run; `None` means all.
    pub locks: Option<Vec<String>>,
    /// Whether each case draws a subset of the faults and settings.
    pub swarm: bool,
    /// The clients.
    pub clients: Clients,
    /// The settings of the locks.
    pub lock: LockConfig,
    /// The workload of the clients.
    pub workload: WorkloadConfig,
    /// The network.
    pub network: Network,
    /// The faults, in the order of the file.
    pub faults: Arc<[FaultPlan]>,
    /// The expected verdicts, by lock.
    pub expect: BTreeMap<String, BTreeMap<Property, Expectation>>,
    /// The faults that `explore` may place.
    pub explore: Explore,
    /// The case of a reproducer.
    pub case: Option<CasePin>,
    /// The text of the file.
    pub source: String,
}

impl Scenario {
    /// Returns whether the scenario may run with this lock. Listing a lock permits all its variants.
    pub fn permits(&self, lock: &LockFormat) -> bool {
        let is_listed = |name: &String| name == lock.name() || name == lock.lock;
        self.locks.as_ref().is_none_or(|locks| locks.iter().any(is_listed))
    }
}

/// The keys at the top of a scenario.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// The scenario's name; by default the file's name.
    #[schemars(with = "Option<String>")]
    name: Option<Spanned<String>>,
    /// The description, in one or two sentences.
    #[serde(default)]
    about: String,
    /// The longest run phase, in simulated time. The run phase ends earlier if every order is resolved.
    #[schemars(with = "Option<Span>")]
    run_for: Option<Spanned<Span>>,
    /// The locks to run: names, classes such as `@lease`, and exclusions such as `!etcd`. The default is all.
    #[schemars(with = "Option<Vec<String>>")]
    locks: Option<Spanned<Vec<Spanned<String>>>>,
    /// Whether each case draws from its seed a non-empty subset of the faults, the number of clients, and whether they
    /// think, hold, prepare and check. Rates of a swarm are counted separately.
    #[serde(default)]
    swarm: bool,
}

/// The tables of a scenario.
const TABLES: [&str; 8] = ["clients", "lock", "workload", "network", "fault", "expect", "explore", "case"];

/// The longest run phase.
pub const LONGEST_RUN: Duration = Duration::from_secs(24 * 3600);

/// The approximate number of events in a simulated second, for estimates in messages.
const EVENTS_PER_SECOND: u64 = 1_000;

/// Reads a scenario.
pub(super) fn scenario(catalog: &Catalog, report: &mut Report, file: &str, mut root: Table<'_>) -> Option<Scenario> {
    let [clients, lock, workload, network, fault, expect, explore, case] = TABLES.map(|table| root.take(table));
    let run_for_given = root.key_span("run_for").is_some();
    let before = report.count();
    let head = root.read_keys::<Head>(report, &TABLES).unwrap_or_default();
    let head_is_valid = report.count() == before;
    let locks = head.locks.map(|locks| lock_list::selection(catalog, report, locks.span(), locks.into_inner()));
    // With an invalid list of locks, the selection is unknown.
    let selected = locks.as_deref().filter(|_| head_is_valid && report.count() == before);
    let clients: Clients = section(report, clients, "[clients]");
    let lock = lock_config(catalog, report, lock);
    let nodes = nodes(catalog, clients.count, locks.as_deref(), &lock, report.count() == before);

    let run_for_span = head.run_for.as_ref().map(Spanned::span);
    let run_for = run_for(report, head.run_for, run_for_given);
    let workload = chosen_workload(catalog, report, workload)?;
    let network = section(report, network, "[network]");
    if let Some((span, run_for)) = run_for_span.zip(run_for) {
        check_demand(report, span, run_for, &clients, &network, &workload);
    }
    let faults = faults(catalog, report, fault, &World { nodes: &nodes, run_for });
    let name = file_name(report, head.name, file);
    let expect = expectations(catalog, report, &name, expect, selected);
    let explore = section(report, explore, "[explore]");
    let case = case_pin(catalog, report, case);
    Some(Scenario {
        name,
        about: head.about,
        run_for: run_for?,
        locks,
        swarm: head.swarm,
        clients,
        lock,
        workload,
        network,
        faults,
        expect,
        explore,
        case,
        source: report.text().into(),
    })
}

/// Reads a table with fixed keys. An omitted table has its defaults.
fn section<T: DeserializeOwned + Default>(report: &mut Report, entry: Option<Entry<'_>>, name: &str) -> T {
    entry
        .and_then(|entry| entry.table(report, name))
        .and_then(|table| table.read_keys::<T>(report, &[]))
        .unwrap_or_default()
}

/// Returns the given name, or the file's name.
pub(super) fn file_name(report: &mut Report, given: Option<Spanned<String>>, file: &str) -> String {
    let Some(name) = given else {
        let stem = Path::new(file).file_stem();
        return stem.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    };
    if let Err(help) = kebab_case(name.get_ref()) {
        report.add(name.span(), format!("{} is not a valid name", quoted(name.get_ref())), help);
    }
    name.into_inner()
}

/// Checks `run_for`. `given` is also true for an invalid `run_for` that is already reported.
fn run_for(report: &mut Report, run_for: Option<Spanned<Span>>, given: bool) -> Option<Duration> {
    let Some(run_for) = run_for else {
        if !given {
            report.add(0..0, "this scenario has no `run_for`", "add `run_for = \"60s\"` above the first table");
        }
        return None;
    };
    let (span, Span(length)) = (run_for.span(), *run_for.get_ref());
    if length.is_zero() {
        report.add(span, "a run of zero length has no events", "set a positive duration, such as \"60s\"");
        return None;
    }
    if length > LONGEST_RUN {
        let events = length.as_secs() * EVENTS_PER_SECOND / 1_000_000;
        let message = format!("`{}` is too long: about {events} million events per case", run_for.get_ref());
        report.add(span, message, "make it at most `24h`: more seeds find more than longer cases");
        return None;
    }
    Some(length)
}

fn chosen_workload(catalog: &Catalog, report: &mut Report, entry: Option<Entry<'_>>) -> Option<WorkloadConfig> {
    let Some(first) = catalog.workload_formats().first() else {
        report.add(0..0, "no workload is registered", "add a workload to the registry");
        return None;
    };
    let default = Some((first.default)());
    let Some(entry) = entry else { return default };
    let names: Vec<&str> = catalog.workload_formats().iter().map(|workload| workload.name).collect();
    let (key, before) = (entry.key.span(), report.count());
    let Some(mut table) = entry.table(report, "[workload.NAME]") else { return default };
    let mut chosen = None;
    for entry in table.take_all() {
        let (span, name) = (entry.key.span(), entry.key.get_ref().clone());
        let Some(workload) = catalog.workload_format(&name) else {
            report.add(span, format!("no workload is named {}", quoted(&name)), suggestion(&name, &names));
            continue;
        };
        let own = entry.table(report, &format!("[workload.{name}]"));
        let own = own.and_then(|own| own.read(report, &[], |keys| (workload.parse)(keys)));
        if chosen.is_some() {
            report.add(span, "a scenario has one workload, but this is a second one", "remove one of them");
        }
        chosen = own.or_else(|| default.clone());
    }
    if chosen.is_none() && report.count() == before {
        let help = format!("write `[workload.NAME]` with one of {}, or omit the table", listed(&names));
        report.add(key, "`[workload]` does not name a workload", help);
    }
    chosen.or(default)
}

/// Returns the nodes of all selected locks, and the servers of the other locks.
fn nodes(catalog: &Catalog, clients: u16, locks: Option<&[String]>, config: &LockConfig, certain: bool) -> Nodes {
    let is_selected = |lock: &LockFormat| match locks {
        Some(locks) => locks.iter().any(|name| name == lock.name()),
        None => lock.variant.is_none(),
    };
    let mut servers = Vec::new();
    let mut elsewhere = BTreeMap::new();
    for lock in catalog.lock_formats().iter().chain(catalog.variant_formats()) {
        let deployed = (lock.servers)(&config.params_of(lock));
        if is_selected(lock) {
            servers.extend(deployed);
        } else {
            for server in deployed {
                elsewhere.entry(server).or_insert(lock.name());
            }
        }
    }
    Nodes::new(clients, servers, elsewhere, certain)
}
