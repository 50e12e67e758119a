//! Scenarios.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::schedule::FaultPlan;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use toml::Spanned;

use super::catalog::{Catalog, LockFormat};
use super::demand::{WorkloadConfig, check_demand};
use super::expect::{CasePin, Expectation, case_pin, expectations};
use super::faults::{World, faults};
use super::lock_list::{self, maybe_words};
use super::locks::{LockConfig, lock_config};
use super::nodes::Nodes;
use super::problem::Report;
use super::settings::{Clients, Explore, Network};
use super::table::{Entry, Table};
use super::values::{duration, maybe_name};
use super::words::{listed, quoted, suggestion};
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
    #[serde(default, deserialize_with = "maybe_name")]
    name: Option<String>,
    /// The description, in one or two sentences.
    #[serde(default)]
    about: String,
    /// The longest run phase, in simulated time. The run phase ends earlier if every order is resolved.
    #[serde(default, deserialize_with = "run_length")]
    #[schemars(with = "Option<Span>")]
    run_for: Option<Duration>,
    /// The locks to run: names, classes such as `@lease`, and exclusions such as `!etcd`. The default is all.
    #[serde(default, deserialize_with = "maybe_words")]
    #[schemars(with = "Option<Vec<String>>")]
    locks: Option<Vec<Spanned<String>>>,
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
    let run_for_span = root.items.get("run_for").map(Spanned::span);
    let before = report.count();
    let head = root.read_keys::<Head>(report, &TABLES).unwrap_or_default();
    let (run_for, valid_keys) = (head.run_for, report.count());
    let locks = head.locks.map(|locks| lock_list::selection(catalog, report, locks));
    // With an invalid list of locks, the selection is unknown.
    let selected = locks.as_deref().filter(|_| report.count() == valid_keys);
    let clients: Clients = section(report, clients, "[clients]");
    let lock = lock_config(catalog, report, lock);
    let nodes = nodes(catalog, clients.count, locks.as_deref(), &lock, report.count() == before);

    if run_for_span.is_none() {
        report.add(0..0, "this scenario has no `run_for`", "add `run_for = \"60s\"` above the first table");
    }
    let workload = chosen_workload(catalog, report, workload)?;
    let network = section(report, network, "[network]");
    if let Some((span, run_for)) = run_for_span.zip(run_for) {
        check_demand(report, span, run_for, &clients, &network, &workload);
    }
    let faults = faults(catalog, report, fault, &World { nodes: &nodes, run_for });
    let name = head.name.unwrap_or_else(|| file_name(file));
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

/// Returns the default name of a file's scenario or suite.
pub(super) fn file_name(file: &str) -> String {
    Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads the length of a run.
fn run_length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let length = duration(deserializer)?;
    if length.is_zero() {
        let message = "a run of zero length has no events: set a positive duration, such as \"60s\"";
        return Err(D::Error::custom(message));
    }
    if length > LONGEST_RUN {
        let events = length.as_secs() * EVENTS_PER_SECOND / 1_000_000;
        return Err(D::Error::custom(format!(
            "`{}` is too long: about {events} million events per case: make it at most `24h`, because more seeds find \
             more than longer cases",
            Span(length)
        )));
    }
    Ok(Some(length))
}

fn chosen_workload(catalog: &Catalog, report: &mut Report, entry: Option<Entry<'_>>) -> Option<WorkloadConfig> {
    let Some(first) = catalog.workload_formats().first() else {
        report.add(0..0, "no workload is registered", "add a workload to the registry");
        return None;
    };
    let default = (first.default)();
    let Some(entry) = entry else { return Some(default) };
    let key = entry.key.span();
    let Some(mut table) = entry.table(report, "[workload.NAME]") else { return Some(default) };
    let names: Vec<&str> = catalog.workload_formats().iter().map(|workload| workload.name).collect();
    let entries = table.take_all();
    if entries.is_empty() {
        let help = format!("write `[workload.NAME]` with one of {}, or omit the table", listed(&names));
        report.add(key, "`[workload]` does not name a workload", help);
    }
    let mut chosen = None;
    for entry in entries {
        let (span, name) = (entry.key.span(), entry.key.get_ref().clone());
        let Some(workload) = catalog.workload_format(&name) else {
            report.add(span, format!("no workload is named {}", quoted(&name)), suggestion(&name, &names));
            continue;
        };
        if chosen.is_some() {
            report.add(span, "a scenario has one workload, but this is a second one", "remove one of them");
        }
        let own = entry.table(report, &format!("[workload.{name}]"));
        chosen = own.and_then(|own| own.read(report, &[], |keys| (workload.parse)(keys))).or(chosen);
    }
    Some(chosen.unwrap_or(default))
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
