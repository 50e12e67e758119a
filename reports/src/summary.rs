//! Harm and cost of a lock over all cells shown.

use fencepost_scenarios::run::results::{CellResult, Scale, Tally, TouchedHolder, shown_metric};

use crate::grid::{Cell, Grid};
use crate::text::{grouped, percent, short, touched_holder};

/// One lock, summed over its cells.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The number of cells that the lock was run in.
    pub run: usize,
    /// The number of cells in the grid.
    pub cells: usize,
    /// The number of cases in the cells run.
    pub cases: u64,
    /// Acknowledged orders.
    pub acked: u128,
    /// Lost updates.
    pub lost: u128,
    /// The harm that workloads count, by unit.
    pub harm: Vec<Harm>,
    /// Acknowledged orders in cells in which updates can be lost.
    pub losable: u128,
    /// Units sold beyond the stock, in cases that used up the demand.
    pub oversold: u128,
    /// Cases that did not use up the demand.
    pub censored: u64,
    /// Effect exclusion where a fault touched a held grant.
    pub touched_holder: TouchedHolder,
    acquire: Merged,
    takeover: Merged,
}

/// The harm counted in one unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Harm {
    /// The unit.
    pub unit: String,
    /// The total harm.
    pub total: f64,
    /// Acknowledged orders in workloads that count harm in this unit.
    pub acked: u128,
}

/// The headings of [`Summary::texts`].
pub const HEADINGS: [&str; 8] = [
    "cells run",
    "acked orders",
    "lost updates / 1,000 orders",
    "harm / 1,000 orders",
    "oversold units",
    "acquire ms, mean of a case (p50 / p95)",
    "takeover s (p50 / max)",
    "violated when a fault hit the holder",
];

impl Summary {
    /// Sums up one row of the grid.
    pub fn of(grid: &Grid, lock: &str) -> Self {
        let mut summary = Summary { cells: grid.scenarios.len(), ..Summary::default() };
        // Swarm cells sample a different distribution, so they are summed alone or not at all.
        let swarm_only = grid.row(lock).all(|(header, _)| header.swarm);
        let counted = |(header, _): &&Cell| header.applicable && header.swarm == swarm_only;
        grid.row(lock).filter(counted).for_each(|cell| summary.add(cell));
        summary
    }

    fn add(&mut self, (header, result): &Cell) {
        let total = |name| result.metric(name).map_or(0, Tally::total);
        self.run += 1;
        self.cases += result.cases();
        self.acked += total("acked_orders");
        if result.metric("lost_updates").is_some() {
            self.lost += total("lost_updates");
            self.losable += total("acked_orders");
        }
        self.add_harm(&header.harm_unit, result);
        self.oversold += result.oversold_uncensored().total();
        self.censored += result.censored();
        self.touched_holder.cases += result.touched_holder().cases;
        self.touched_holder.violated += result.touched_holder().violated;
        for (stored, tally) in result.metrics() {
            match shown_metric(stored) {
                (name, scale) if name == "acquire_ms" => self.acquire.add(tally, scale),
                (name, scale) if name == "takeover_s" => self.takeover.add(tally, scale),
                _ => {}
            }
        }
    }

    fn add_harm(&mut self, unit: &str, result: &CellResult) {
        let shown = result.metrics().map(|(stored, tally)| (shown_metric(stored), tally));
        let mine = shown.filter(|((name, _), _)| name == "harm");
        let total: f64 = mine.map(|((_, scale), tally)| scale.apply(tally.total() as f64)).sum();
        let acked = result.metric("acked_orders").map_or(0, Tally::total);
        match self.harm.iter_mut().find(|harm| harm.unit == unit) {
            Some(harm) => (harm.total, harm.acked) = (harm.total + total, harm.acked + acked),
            None => self.harm.push(Harm { unit: unit.into(), total, acked }),
        }
    }

    /// Returns the values as text, in the order of [`HEADINGS`].
    pub fn texts(&self) -> [String; 8] {
        [
            format!("{} of {}", self.run, self.cells),
            grouped(self.acked),
            per_thousand(self.lost as f64, self.losable),
            self.harm_text(),
            self.oversold_text(),
            self.acquire.text(|tally| tally.percentile(95)),
            self.takeover.text(Tally::max),
            touched_holder(self.touched_holder),
        ]
    }

    /// Lists harm by unit, since different units cannot be added.
    fn harm_text(&self) -> String {
        let one = |harm: &Harm| format!("{} {}", per_thousand(harm.total, harm.acked), harm.unit).trim_end().to_owned();
        if self.acked == 0 { "–".into() } else { self.harm.iter().map(one).collect::<Vec<_>>().join(", ") }
    }

    /// Excludes cases that did not use up the demand, since a slow lock sells less in the same time. Shows their share.
    fn oversold_text(&self) -> String {
        match self.censored {
            0 => grouped(self.oversold),
            censored if censored == self.cases => "censored".into(),
            censored => format!("{} ({} cens.)", grouped(self.oversold), percent(censored as f64 / self.cases as f64)),
        }
    }
}

fn per_thousand(count: f64, acked: u128) -> String {
    if acked == 0 { "–".into() } else { short(count * 1_000.0 / acked as f64) }
}

/// The merged tallies of one metric, if they have the same unit.
#[derive(Clone, Debug, Default)]
struct Merged(Option<(Scale, Tally)>);

impl Merged {
    fn add(&mut self, tally: &Tally, scale: Scale) {
        let (known, sum) = self.0.get_or_insert_with(|| (scale, Tally::default()));
        if *known == scale {
            sum.merge(tally);
        }
    }

    fn text(&self, second: impl Fn(&Tally) -> u64) -> String {
        match &self.0 {
            Some((scale, tally)) if tally.samples() > 0 => {
                let shown = |stored: u64| short(scale.apply(stored as f64));
                format!("{} / {}", shown(tally.percentile(50)), shown(second(tally)))
            }
            _ => "–".into(),
        }
    }
}
