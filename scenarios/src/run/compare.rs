//! Compares two runs case by case. The same seed gives both runs the same clients and faults, so cases form pairs.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::property::{Property, Verdict};
use crate::run::case_result::CaseResult;
use crate::run::results::{CellHeader, PropertyCount, ResultsError, ResultsReader, Row};
use crate::run::stats::{benjamini_hochberg, holm, paired_sign_test};

/// The compared metrics, of which smaller values are better.
pub const COMPARED: [&str; 5] = ["lost_updates", "oversold_units", "duplicate_effects", "acquire_ns", "takeover_ns"];

/// The significance level.
pub const LEVEL: f64 = 0.05;

/// Fewer differing pairs than this can never be significant: 2 · ½⁵ is above [`LEVEL`]. The correction does not count
/// such tests (Tarone, A modified Bonferroni method for discrete data, Biometrics 46, 1990).
const FEWEST: u64 = 6;

/// The compared part of a case.
#[derive(Clone, Copy, Debug)]
struct Case {
    violated: u32,
    decided: u32,
    metrics: [Option<u64>; COMPARED.len()],
}

impl Case {
    fn new(result: &CaseResult) -> Self {
        let mut case = Case { violated: 0, decided: 0, metrics: [None; COMPARED.len()] };
        for (index, property) in Property::ALL.into_iter().enumerate() {
            let verdict = result.verdict(property);
            case.violated |= u32::from(verdict == Verdict::Violated) << index;
            case.decided |= u32::from(matches!(verdict, Verdict::Violated | Verdict::Holds)) << index;
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
                    let known = run.index_of(&header.scenario, &header.lock);
                    current = known.unwrap_or(run.cells.len());
                    if known.is_none() {
                        run.cells.push((*header, BTreeMap::new()));
                    }
                }
                Row::Case { seed, result } => {
                    run.cells[current].1.insert(seed, Case::new(&result));
                }
                Row::Decisive { .. } => {}
            }
        }
        Ok(run)
    }

    fn index_of(&self, scenario: &str, lock: &str) -> Option<usize> {
        self.cells.iter().position(|(header, _)| header.scenario == scenario && header.lock == lock)
    }
}

/// How one property or metric of a cell changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Never violated in the first run, and violated in the second.
    NewlyViolated,
    /// Significantly worse.
    Worse,
    /// Significantly better.
    Better,
    /// No significant change.
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
    /// For the first run, over its own seeds: violated and decided cases, or the total and the number of cases.
    pub before: (u64, u64),
    /// The same for the second run.
    pub after: (u64, u64),
    /// The first violated seed of the second run.
    pub first_seed: Option<u64>,
    /// The number of seeds that both runs decided.
    pub pairs: u64,
    /// The number of these seeds that are worse in the first run.
    pub only_before: u64,
    /// The number of these seeds that are worse in the second run.
    pub only_after: u64,
    /// The p-value of the exact paired test: McNemar’s for a property, the sign test for a metric.
    pub p: f64,
    /// The p-value with Holm's correction for all tests of its kind.
    pub p_holm: f64,
    /// The p-value with Benjamini and Hochberg's correction.
    pub q: f64,
    /// The conclusion.
    pub change: Change,
}

/// The comparison of two runs.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Every property of every cell that both runs decided.
    pub properties: Vec<Difference<Property>>,
    /// Every metric of every cell that both runs measured.
    pub metrics: Vec<Difference<&'static str>>,
    /// Cells that only the first run has, as scenario and lock.
    pub only_before: Vec<(String, String)>,
    /// Cells that only the second run has.
    pub only_after: Vec<(String, String)>,
    /// The number of common seeds, over all cells.
    pub pairs: u64,
}

/// Compares two runs.
pub fn compare(before: &Run, after: &Run) -> Comparison {
    let mut comparison = Comparison::default();
    for (header, cases) in &before.cells {
        let key = || (header.scenario.clone(), header.lock.clone());
        let Some(index) = after.index_of(&header.scenario, &header.lock) else {
            comparison.only_before.push(key());
            continue;
        };
        let others = &after.cells[index].1;
        comparison.pairs += cases.keys().filter(|seed| others.contains_key(seed)).count() as u64;
        comparison
            .properties
            .extend((0..Property::ALL.len()).filter_map(|at| compare_property(header, cases, others, at)));
        comparison.metrics.extend((0..COMPARED.len()).filter_map(|at| compare_metric(header, cases, others, at)));
    }
    let alone = after.cells.iter().filter(|(header, _)| before.index_of(&header.scenario, &header.lock).is_none());
    comparison.only_after = alone.map(|(header, _)| (header.scenario.clone(), header.lock.clone())).collect();
    correct(&mut comparison.properties);
    correct(&mut comparison.metrics);
    comparison
}

type Cases = BTreeMap<u64, Case>;

fn compare_property(header: &CellHeader, before: &Cases, after: &Cases, at: usize) -> Option<Difference<Property>> {
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

fn compare_metric(header: &CellHeader, before: &Cases, after: &Cases, at: usize) -> Option<Difference<&'static str>> {
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

/// Corrects the p-values for the number of tests, and sets the conclusions.
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
