//! The JSON that `run --format json` prints.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::cell::{CellResult, FaultSum, PropertyCount, TouchedHolder};
use super::metric::{Scale, shown_metric};
use super::sample::Decisive;
use super::tally::Tally;
use super::{CellHeader, FaultLabel};
use crate::run::stats::Interval;

/// The version of the JSON format.
pub const SCHEMA_VERSION: u32 = 1;

/// The whole of a run: what its JSON says and what reports are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunResult {
    /// The suite's name, or that of the file that was run.
    pub suite: String,
    /// The cells, scenario by scenario.
    pub cells: Vec<(CellHeader, CellResult)>,
    /// The rule by which cells stopped early, if there was one: their rates are those of a search.
    pub until: Option<String>,
}

impl Serialize for RunResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells: Vec<Cell> = self.cells.iter().map(|(header, result)| Cell { header, result }).collect();
        let mut run = serializer.serialize_struct("RunResult", 3 + usize::from(self.until.is_some()))?;
        run.serialize_field("schema_version", &SCHEMA_VERSION)?;
        run.serialize_field("suite", &self.suite)?;
        run.serialize_field("cells", &cells)?;
        match &self.until {
            Some(rule) => run.serialize_field("until", rule)?,
            None => run.skip_field("until")?,
        }
        run.end()
    }
}

/// Metrics that a case reports only where there was something to measure.
const MAY_BE_UNMEASURED: [&str; 2] = ["acquire_ns", "takeover_ns"];

struct Cell<'a> {
    header: &'a CellHeader,
    result: &'a CellResult,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cell { header, result } = self;
        // A cell that was not run has nothing to tell, and one whose cases are still to come nothing yet.
        let told = header.applicable && result.cases() > 0;
        let mut cell = serializer.serialize_map(None)?;
        cell.serialize_entry("scenario", &header.scenario)?;
        cell.serialize_entry("lock", &header.lock)?;
        cell.serialize_entry("cases", &if header.applicable { result.cases() } else { 0 })?;
        cell.serialize_entry("applicable", &header.applicable)?;
        cell.serialize_entry("properties", &Entries(result.properties().filter(|_| told).collect()))?;
        cell.serialize_entry("metrics", &metrics(result, told))?;
        cell.serialize_entry("faults", &faults(header, result, told))?;
        if let Some(reason) = &header.reason {
            cell.serialize_entry("reason", reason)?;
        }
        cell.serialize_entry("effective_expiry_s", &header.effective_expiry.map(|expiry| expiry.as_secs_f64()))?;
        cell.serialize_entry("workload", &header.workload)?;
        cell.serialize_entry("use_case", &header.use_case)?;
        cell.serialize_entry("harm_unit", &header.harm_unit)?;
        cell.serialize_entry("clients", &header.clients)?;
        cell.serialize_entry("takeover_bound_s", &header.takeover_bound.map(|bound| bound.as_secs_f64()))?;
        if header.swarm {
            cell.serialize_entry("swarm", &true)?;
        }
        if let Some(dose) = header.dose {
            cell.serialize_entry("dose", &dose)?;
        }
        if told {
            cell.serialize_entry("harm_per_1000_orders", &harm_per_thousand(result))?;
            cell.serialize_entry("censored", &result.censored())?;
            cell.serialize_entry("untouched", &result.untouched())?;
            cell.serialize_entry("touched_holder", &result.touched_holder())?;
        }
        cell.end()
    }
}

/// In the workload's unit, for each 1,000 orders that were acknowledged; to six places.
fn harm_per_thousand(result: &CellResult) -> Option<f64> {
    let acked = result.metric("acked_orders").map(Tally::total).filter(|acked| *acked > 0)?;
    let (stored, harm) = result.metrics().find(|(stored, _)| shown_metric(stored).0 == "harm")?;
    let shown = shown_metric(stored).1.apply(harm.total() as f64);
    Some(libm::round(shown * 1e9 / acked as f64) / 1e6)
}

/// A map written in the order given.
struct Entries<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Entries<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn metrics(result: &CellResult, told: bool) -> impl Serialize {
    // What never happened was never measured, but its key is part of the contract.
    static NEVER: Tally = Tally::NONE;
    let unmeasured = MAY_BE_UNMEASURED.iter().filter(|name| result.metric(name).is_none()).map(|name| (*name, &NEVER));
    let shown = result.metrics().chain(unmeasured).filter(|_| told).map(|(stored, tally)| {
        let (name, scale) = shown_metric(stored);
        (name, Metric { tally, scale })
    });
    Entries(shown.collect())
}

fn faults<'a>(header: &'a CellHeader, result: &CellResult, told: bool) -> impl Serialize + 'a {
    let sums = result.faults().iter().copied().chain(std::iter::repeat(FaultSum::default()));
    let shown = header.faults.iter().filter(|_| told).zip(sums).enumerate();
    let fault = |(at, (FaultLabel { name, kind }, sum)): (usize, (&'a FaultLabel, FaultSum))| {
        (name, Fault { kind, sum, decisive: result.decisive(at) })
    };
    Entries(shown.map(fault).collect())
}

struct Metric<'a> {
    tally: &'a Tally,
    scale: Scale,
}

impl Metric<'_> {
    fn field<M: SerializeMap>(&self, map: &mut M, key: &str, stored: u128) -> Result<(), M::Error> {
        match u64::try_from(stored) {
            Ok(whole) if self.scale.is_one() => map.serialize_entry(key, &whole),
            _ => map.serialize_entry(key, &self.scale.apply(stored as f64)),
        }
    }
}

impl Serialize for Metric<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut metric = serializer.serialize_map(Some(5))?;
        self.field(&mut metric, "total", self.tally.total())?;
        metric.serialize_entry("mean", &self.tally.mean().map(|mean| self.scale.apply(mean)))?;
        self.field(&mut metric, "p50", self.tally.percentile(50).into())?;
        self.field(&mut metric, "p95", self.tally.percentile(95).into())?;
        self.field(&mut metric, "max", self.tally.max().into())?;
        metric.end()
    }
}

struct Fault<'a> {
    kind: &'a str,
    sum: FaultSum,
    decisive: Decisive,
}

impl Serialize for Fault<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fault = serializer.serialize_struct("Fault", 5)?;
        fault.serialize_field("kind", self.kind)?;
        fault.serialize_field("planned", &self.sum.planned)?;
        fault.serialize_field("fired", &self.sum.fired)?;
        fault.serialize_field("touched", &self.sum.touched)?;
        fault.serialize_field("decisive", &self.decisive)?;
        fault.end()
    }
}

impl Serialize for Decisive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut decisive = serializer.serialize_struct("Decisive", 2)?;
        decisive.serialize_field("sampled", &self.sampled)?;
        decisive.serialize_field("changed", &self.changed)?;
        decisive.end()
    }
}

impl Serialize for PropertyCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut property = serializer.serialize_struct("PropertyCount", 7)?;
        property.serialize_field("holds", &self.holds)?;
        property.serialize_field("violated", &self.violated)?;
        property.serialize_field("unknown", &self.unknown)?;
        property.serialize_field("not_applicable", &self.not_applicable)?;
        property.serialize_field("rate", &self.rate())?;
        property.serialize_field("ci95", &rounded(self.ci95()))?;
        property.serialize_field("first_seed", &self.first_seed)?;
        property.end()
    }
}

impl Serialize for TouchedHolder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut touched = serializer.serialize_struct("TouchedHolder", 4)?;
        touched.serialize_field("cases", &self.cases)?;
        touched.serialize_field("violated", &self.violated)?;
        touched.serialize_field("rate", &self.rate())?;
        touched.serialize_field("ci95", &rounded(self.ci95()))?;
        touched.end()
    }
}

/// The quantile's last digits may differ between platforms' float libraries; what is printed may not.
fn rounded(interval: Interval) -> [f64; 2] {
    [interval.lower, interval.upper].map(|end| libm::round(end * 1e6) / 1e6)
}

/// Durations in rows and results are seconds.
pub(super) fn from_seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
