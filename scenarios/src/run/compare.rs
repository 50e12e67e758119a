//! Two runs side by side, case by case: the same seed gives both the same clients and faults, so cases are pairs.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::property::{Property, Verdict};
use crate::run::case_result::CaseResult;
use crate::run::results::{CellHeader, PropertyCount, ResultsError, ResultsReader, Row};
use crate::run::stats::{benjamini_hochberg, holm, paired_sign_test};

/// The metrics that are compared: less is better.
pub const COMPARED: [&str; 5] = ["lost_updates", "oversold_units", "duplicate_effects", "acquire_ns", "takeover_ns"];

/// A difference that comes by chance less often than this counts as one.
pub const LEVEL: f64 = 0.05;

/// Fewer differing pairs than this cannot come out below [`LEVEL`], whatever they say: 2 · ½⁵ is more. Such tests are
/// not counted as tests (Tarone, A modified Bonferroni method for discrete data, Biometrics 46, 1990).
const FEWEST: u64 = 6;

/// One case, as far as it is compared.
#[derive(Clone, Copy, Debug)]
struct Case {
    violated: u32,
    decided: u32,
    metrics: [Option<u64>; COMPARED.len()],
}

impl Case {
    fn of(result: &CaseResult) -> Self {
        let mut case = Case { violated: 0, decided: 0, metrics: [None; COMPARED.len()] };
        for (place, property) in Property::ALL.into_iter().enumerate() {
            let verdict = result.verdict(property);
            case.violated |= u32::from(verdict == Verdict::Violated) << place;
            case.decided |= u32::from(matches!(verdict, Verdict::Violated | Verdict::Holds)) << place;
        }
        case.metrics = COMPARED.map(|name| result.metric(name).and_then(|value| u64::try_from(value).ok()));
        case
    }
}

/// The cases of a run by cell and seed.
#[derive(Debug, Default)]
pub struct Run {
    cells: Vec<(CellHeader, BTreeMap<u64, Case>)>,
}

impl Run {
    /// Reads the results of a run.
    pub fn read(input: impl BufRead) -> Result<Self, ResultsError> {
        let mut run = Run::default();
        let mut current = 0;
        for row in ResultsReader::new(input) {
            match row? {
                Row::Cell(header) => {
                    let known = run.place(&header.scenario, &header.lock);
                    current = known.unwrap_or(run.cells.len());
                    if known.is_none() {
                        run.cells.push((*header, BTreeMap::new()));
                    }
                }
                Row::Case { seed, result } => {
                    run.cells[current].1.insert(seed, Case::of(&result));
                }
                Row::Decisive { .. } => {}
            }
        }
        Ok(run)
    }

    fn place(&self, scenario: &str, lock: &str) -> Option<usize> {
        self.cells.iter().position(|(header, _)| header.scenario == scenario && header.lock == lock)
    }
}

/// What became of one property of a cell, or of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Never violated in the first run, and violated in the second.
    NewlyViolated,
    /// More than chance explains, to the worse.
    Worse,
    /// More than chance explains, to the better.
    Better,
    /// Nothing that chance does not explain.
    None,
}

/// One property of one cell in both runs.
#[derive(Clone, Debug)]
pub struct Difference<T> {
    /// The cell's scenario.
    pub scenario: String,
    /// The cell's lock.
    pub lock: String,
    /// What is compared: a [`Property`], or a metric's stored name.
    pub what: T,
    /// In the first run, over its own seeds: violated and judged, or the total and the number of cases.
    pub before: (u64, u64),
    /// In the second.
    pub after: (u64, u64),
    /// The first seed of the second run that violates it.
    pub first_seed: Option<u64>,
    /// Seeds that both runs judged.
    pub pairs: u64,
    /// Of these, worse in the first run.
    pub only_before: u64,
    /// Of these, worse in the second.
    pub only_after: u64,
    /// The exact paired test: McNemar’s for a property, the sign test for a metric.
    pub p: f64,
    /// Corrected after Holm for all tests of its kind.
    pub p_holm: f64,
    /// Corrected after Benjamini and Hochberg.
    pub q: f64,
    /// What that comes to.
    pub change: Change,
}

/// Two runs compared.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Every property of every cell that both runs judged.
    pub properties: Vec<Difference<Property>>,
    /// Every metric of every cell that both runs measured.
    pub metrics: Vec<Difference<&'static str>>,
    /// Cells of the first run alone, as scenario and lock.
    pub only_before: Vec<(String, String)>,
    /// Cells of the second run alone.
    pub only_after: Vec<(String, String)>,
    /// Seeds that both runs have, over all cells.
    pub pairs: u64,
}

/// Compares two runs.
pub fn compare(before: &Run, after: &Run) -> Comparison {
    let mut comparison = Comparison::default();
    for (header, cases) in &before.cells {
        let key = || (header.scenario.clone(), header.lock.clone());
        let Some(place) = after.place(&header.scenario, &header.lock) else {
            comparison.only_before.push(key());
            continue;
        };
        let others = &after.cells[place].1;
        comparison.pairs += cases.keys().filter(|seed| others.contains_key(seed)).count() as u64;
        comparison.properties.extend((0..Property::ALL.len()).filter_map(|at| of_property(header, cases, others, at)));
        comparison.metrics.extend((0..COMPARED.len()).filter_map(|at| of_metric(header, cases, others, at)));
    }
    let alone = after.cells.iter().filter(|(header, _)| before.place(&header.scenario, &header.lock).is_none());
    comparison.only_after = alone.map(|(header, _)| (header.scenario.clone(), header.lock.clone())).collect();
    correct(&mut comparison.properties);
    correct(&mut comparison.metrics);
    comparison
}

type Cases = BTreeMap<u64, Case>;

fn of_property(header: &CellHeader, before: &Cases, after: &Cases, at: usize) -> Option<Difference<Property>> {
    let bit = 1_u32 << at;
    let count = |cases: &Cases| {
        let mut count = PropertyCount::default();
        for (seed, case) in cases.iter().filter(|(_, case)| case.decided & bit != 0) {
            match case.violated & bit {
                0 => count.holds += 1,
                _ => (count.violated, count.first_seed) = (count.violated + 1, count.first_seed.or(Some(*seed))),
            }
        }
        count
    };
    let (a, b) = (count(before), count(after));
    let pairs: Vec<(bool, bool)> = (before.iter())
        .filter_map(|(seed, case)| Some((case, after.get(seed)?)))
        .filter(|(a, b)| a.decided & b.decided & bit != 0)
        .map(|(a, b)| (a.violated & bit != 0, b.violated & bit != 0))
        .collect();
    let only = |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count() as u64;
    (a.decided() > 0 && b.decided() > 0).then(|| {
        let difference = Difference::new(header, Property::ALL[at], &pairs, only((true, false)), only((false, true)));
        let change = if a.violated == 0 && b.violated > 0 { Change::NewlyViolated } else { Change::None };
        Difference {
            before: (a.violated, a.decided()),
            after: (b.violated, b.decided()),
            first_seed: b.first_seed,
            change,
            ..difference
        }
    })
}

fn of_metric(header: &CellHeader, before: &Cases, after: &Cases, at: usize) -> Option<Difference<&'static str>> {
    let sum = |cases: &Cases| {
        let values = || cases.values().filter_map(|case| case.metrics[at]);
        (values().sum::<u64>(), values().count() as u64)
    };
    let (a, b) = (sum(before), sum(after));
    let pairs: Vec<(u64, u64)> =
        (before.iter()).filter_map(|(seed, case)| Some((case.metrics[at]?, after.get(seed)?.metrics[at]?))).collect();
    let (more, less) =
        (pairs.iter().filter(|(a, b)| a > b).count() as u64, pairs.iter().filter(|(a, b)| a < b).count() as u64);
    (!pairs.is_empty()).then(|| Difference {
        before: a,
        after: b,
        ..Difference::new(header, COMPARED[at], &pairs, more, less)
    })
}

impl<T> Difference<T> {
    fn new<P>(header: &CellHeader, what: T, pairs: &[P], only_before: u64, only_after: u64) -> Self {
        Difference {
            scenario: header.scenario.clone(),
            lock: header.lock.clone(),
            what,
            before: (0, 0),
            after: (0, 0),
            first_seed: None,
            pairs: pairs.len() as u64,
            only_before,
            only_after,
            p: paired_sign_test(only_before, only_after),
            p_holm: 1.0,
            q: 1.0,
            change: Change::None,
        }
    }

    fn counts(&self) -> bool {
        self.only_before + self.only_after >= FEWEST
    }
}

/// Corrects for looking at many cells, and judges.
fn correct<T>(differences: &mut [Difference<T>]) {
    let tested: Vec<usize> = (0..differences.len()).filter(|at| differences[*at].counts()).collect();
    let p: Vec<f64> = tested.iter().map(|at| differences[*at].p).collect();
    for ((at, p_holm), q) in tested.iter().zip(holm(&p)).zip(benjamini_hochberg(&p)) {
        let difference = &mut differences[*at];
        (difference.p_holm, difference.q) = (p_holm, q);
        if difference.change == Change::None && p_holm < LEVEL {
            let worse = difference.only_after > difference.only_before;
            difference.change = if worse { Change::Worse } else { Change::Better };
        }
    }
}
