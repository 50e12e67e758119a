//! The JSON that `run --format json` prints.

use serde::Serialize;
use serde::ser::Serializer;

use super::CellHeader;
use super::cell::{CellResult, FaultSum, PropertyCount, TouchedHolder};
use super::metric::{Scale, shown_metric};
use super::sample::Decisive;
use super::tally::Tally;
use crate::run::stats::Interval;

/// The version of the JSON format.
pub const SCHEMA_VERSION: u32 = 1;

/// The results of a run, the input of its JSON and reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunResult {
    /// The suite's name, or the name of the file that was run.
    pub suite: String,
    /// The cells, scenario by scenario.
    pub cells: Vec<(CellHeader, CellResult)>,
    /// The rule by which cells stopped early, if any. Such rates are those of a search.
    pub until: Option<String>,
}

impl Serialize for RunResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Run<'a> {
            schema_version: u32,
            suite: &'a str,
            cells: Vec<Cell<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            until: Option<&'a str>,
        }
        let cells = self.cells.iter().map(|(header, result)| Cell::new(header, result)).collect();
        let run = Run { schema_version: SCHEMA_VERSION, suite: &self.suite, cells, until: self.until.as_deref() };
        run.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Cell<'a> {
    scenario: &'a str,
    lock: &'a str,
    cases: u64,
    applicable: bool,
    properties: Entries<&'static str, &'a PropertyCount>,
    metrics: Entries<String, Metric>,
    faults: Entries<&'a str, Fault<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    effective_expiry_s: Option<f64>,
    workload: &'a str,
    use_case: &'a str,
    harm_unit: &'a str,
    clients: u16,
    takeover_bound_s: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    swarm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dose: Option<f64>,
    #[serde(flatten)]
    sums: Option<Sums>,
}

/// The fields that only cells with cases have.
#[derive(Serialize)]
struct Sums {
    harm_per_1000_orders: Option<f64>,
    censored: u64,
    untouched: u64,
    touched_holder: TouchedHolder,
}

impl<'a> Cell<'a> {
    fn new(header: &'a CellHeader, result: &'a CellResult) -> Self {
        let has_cases = header.applicable && result.cases() > 0;
        let properties = result.properties().filter(|_| has_cases);
        Cell {
            scenario: &header.scenario,
            lock: &header.lock,
            cases: if header.applicable { result.cases() } else { 0 },
            applicable: header.applicable,
            properties: Entries(properties.map(|(property, count)| (property.name(), count)).collect()),
            metrics: Entries(if has_cases { metrics(result) } else { Vec::new() }),
            faults: Entries(if has_cases { faults(header, result) } else { Vec::new() }),
            reason: header.reason.as_deref(),
            effective_expiry_s: header.effective_expiry.map(|expiry| expiry.as_secs_f64()),
            workload: &header.workload,
            use_case: &header.use_case,
            harm_unit: &header.harm_unit,
            clients: header.clients,
            takeover_bound_s: header.takeover_bound.map(|bound| bound.as_secs_f64()),
            swarm: header.swarm,
            dose: header.dose,
            sums: has_cases.then(|| Sums {
                harm_per_1000_orders: harm_per_thousand(result),
                censored: result.censored(),
                untouched: result.untouched(),
                touched_holder: result.touched_holder(),
            }),
        }
    }
}

/// A JSON object whose keys keep this order.
struct Entries<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Entries<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Returns the harm in the workload's unit per 1,000 acknowledged orders, rounded to six decimal places.
fn harm_per_thousand(result: &CellResult) -> Option<f64> {
    let acked = result.metric("acked_orders").map(Tally::total).filter(|acked| *acked > 0)?;
    let (stored, harm) = result.metrics().find(|(stored, _)| shown_metric(stored).0 == "harm")?;
    let shown = shown_metric(stored).1.apply(harm.total() as f64);
    Some(libm::round(shown * 1e9 / acked as f64) / 1e6)
}

/// Metrics that a case reports only if it measured a value. The JSON always has their keys.
const MAY_BE_UNMEASURED: [&str; 2] = ["acquire_ns", "takeover_ns"];

fn metrics(result: &CellResult) -> Vec<(String, Metric)> {
    let unmeasured = MAY_BE_UNMEASURED.iter().filter(|name| result.metric(name).is_none());
    let none = Tally::default();
    let unmeasured = unmeasured.map(|name| (*name, &none));
    let shown = result.metrics().chain(unmeasured).map(|(stored, tally)| {
        let (name, scale) = shown_metric(stored);
        (name.into_owned(), Metric::new(tally, scale))
    });
    shown.collect()
}

#[derive(Serialize)]
struct Metric {
    total: Number,
    mean: Option<f64>,
    p50: Number,
    p95: Number,
    max: Number,
}

/// A metric without a scale stays a whole number.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Scaled(f64),
}

impl Metric {
    fn new(tally: &Tally, scale: Scale) -> Self {
        let number = |stored: u128| match u64::try_from(stored) {
            Ok(whole) if scale.is_one() => Number::Whole(whole),
            _ => Number::Scaled(scale.apply(stored as f64)),
        };
        Metric {
            total: number(tally.total()),
            mean: tally.mean().map(|mean| scale.apply(mean)),
            p50: number(tally.percentile(50).into()),
            p95: number(tally.percentile(95).into()),
            max: number(tally.max().into()),
        }
    }
}

#[derive(Serialize)]
struct Fault<'a> {
    kind: &'a str,
    planned: u64,
    fired: u64,
    touched: u64,
    decisive: Decisive,
}

fn faults<'a>(header: &'a CellHeader, result: &CellResult) -> Vec<(&'a str, Fault<'a>)> {
    let sums = result.faults().iter().copied().chain(std::iter::repeat(FaultSum::default()));
    let faults = header.faults.iter().zip(sums).enumerate().map(|(index, (label, sum))| {
        let FaultSum { planned, fired, touched, .. } = sum;
        (&*label.name, Fault { kind: &label.kind, planned, fired, touched, decisive: result.decisive(index) })
    });
    faults.collect()
}

impl Serialize for PropertyCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Count {
            holds: u64,
            violated: u64,
            unknown: u64,
            not_applicable: u64,
            rate: Option<f64>,
            ci95: [f64; 2],
            first_seed: Option<u64>,
        }
        let PropertyCount { holds, violated, unknown, not_applicable, first_seed } = *self;
        let (rate, ci95) = (self.rate(), rounded(self.ci95()));
        Count { holds, violated, unknown, not_applicable, rate, ci95, first_seed }.serialize(serializer)
    }
}

impl Serialize for TouchedHolder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Count {
            cases: u64,
            violated: u64,
            rate: Option<f64>,
            ci95: [f64; 2],
        }
        let TouchedHolder { cases, violated } = *self;
        Count { cases, violated, rate: self.rate(), ci95: rounded(self.ci95()) }.serialize(serializer)
    }
}

/// Rounds to six decimal places: the quantile's last digits may differ between platforms' float libraries, but
/// the JSON must not.
fn rounded(interval: Interval) -> [f64; 2] {
    [interval.lower, interval.upper].map(|end| libm::round(end * 1e6) / 1e6)
}
