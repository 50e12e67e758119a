//! Sums the effects of the faults of a scenario over all locks.

use fencepost_scenarios::run::results::{CellHeader, Decisive, FaultSum};

use crate::grid::{Cell, Grid};
use crate::text::{grouped, percent};

/// One fault of a scenario.
pub(crate) struct FaultRow<'a> {
    pub name: &'a str,
    pub kind: &'a str,
    sum: FaultSum,
    decisive: Decisive,
    cases: u64,
}

/// The headings of [`FaultRow::texts`].
pub(crate) const HEADINGS: [&str; 5] = ["planned", "fired", "touched", "cases it touched", "decisive"];

impl FaultRow<'_> {
    pub(crate) fn texts(&self) -> [String; 5] {
        let FaultSum { planned, fired, touched, cases_touched } = self.sum;
        let share = match self.cases {
            0 => "–".into(),
            cases => percent(cases_touched as f64 / cases as f64),
        };
        let Decisive { sampled, changed } = self.decisive;
        let decisive = match sampled {
            0 => "–".into(),
            _ => format!("{} of {}", grouped(changed.into()), grouped(sampled.into())),
        };
        let [planned, fired, touched] = [planned, fired, touched].map(|count| grouped(count.into()));
        [planned, fired, touched, share, decisive]
    }
}

/// Returns the faults of a scenario.
pub(crate) fn rows<'a>(grid: &Grid<'a>, scenario: &str) -> Vec<FaultRow<'a>> {
    let Some((CellHeader { faults, .. }, _)) = grid.column(scenario).next() else { return Vec::new() };
    let cases = applicable(grid, scenario).map(|(_, result)| result.cases()).sum();
    let row = |(at, fault): (usize, &'a fencepost_scenarios::run::results::FaultLabel)| FaultRow {
        name: &fault.name,
        kind: &fault.kind,
        sum: summed(grid, scenario, at),
        decisive: decisive(grid, scenario, at),
        cases,
    };
    faults.iter().enumerate().map(row).collect()
}

/// Returns the cells of a scenario that were run.
pub(crate) fn applicable<'a>(grid: &Grid<'a>, scenario: &str) -> impl Iterator<Item = &'a Cell> {
    grid.column(scenario).filter(|(header, _)| header.applicable)
}

fn summed(grid: &Grid, scenario: &str, fault: usize) -> FaultSum {
    let sums = applicable(grid, scenario).filter_map(|(_, result)| result.faults().get(fault));
    sums.fold(FaultSum::default(), |sum, more| FaultSum {
        planned: sum.planned + more.planned,
        fired: sum.fired + more.fired,
        touched: sum.touched + more.touched,
        cases_touched: sum.cases_touched + more.cases_touched,
    })
}

fn decisive(grid: &Grid, scenario: &str, fault: usize) -> Decisive {
    let sums = applicable(grid, scenario).map(|(_, result)| result.decisive(fault));
    sums.fold(Decisive::default(), |sum, more| Decisive {
        sampled: sum.sampled + more.sampled,
        changed: sum.changed + more.changed,
    })
}
