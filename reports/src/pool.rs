//! Cells added up: what a lock did in several scenarios together.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::results::CellHeader;
use fencepost_scenarios::stats::{Interval, violation_interval};

use crate::grid::Cell;

/// The properties that count as harm: an effect under a lock that was lost, and what the workload cannot bear.
pub const HARM: [Property; 5] = [
    Property::EffectExclusion,
    Property::NoLostUpdate,
    Property::NoOversell,
    Property::NoDuplicate,
    Property::Consistent,
];

/// How often a property was violated in some cells together.
#[derive(Clone, Copy, Debug)]
pub struct Pooled<'a> {
    /// Which property.
    pub property: Property,
    /// Cases that kept it.
    pub holds: u64,
    /// Cases that broke it.
    pub violated: u64,
    /// Cases that could not be judged.
    pub unknown: u64,
    /// The cell with the highest share of violations, if there is any violation.
    pub worst: Option<&'a Cell>,
}

impl<'a> Pooled<'a> {
    /// Adds up what some cells say about a property; nothing if it has no meaning in any of them.
    pub fn of(cells: impl IntoIterator<Item = &'a Cell>, property: Property) -> Option<Self> {
        let mut pooled = Pooled { property, holds: 0, violated: 0, unknown: 0, worst: None };
        let mut highest = 0.0;
        for cell in cells.into_iter().filter(|(header, _)| header.applicable) {
            let count = cell.1.property(property);
            pooled.holds += count.holds;
            pooled.violated += count.violated;
            pooled.unknown += count.unknown;
            if let Some(rate) = count.rate().filter(|rate| *rate > highest) {
                (highest, pooled.worst) = (rate, Some(cell));
            }
        }
        (pooled.judged() + pooled.unknown > 0).then_some(pooled)
    }

    /// Of several properties the one that was violated most often.
    pub fn worst_of(cells: &[&'a Cell], properties: &[Property]) -> Option<Self> {
        let all = properties.iter().filter_map(|property| Pooled::of(cells.iter().copied(), *property));
        all.reduce(|worst, other| if other.rate() > worst.rate() { other } else { worst })
    }

    /// Cases that were judged either way.
    pub fn judged(&self) -> u64 {
        self.holds + self.violated
    }

    /// The share of violated cases among the judged; 0 if there is none.
    pub fn rate(&self) -> f64 {
        if self.judged() == 0 { 0.0 } else { self.violated as f64 / self.judged() as f64 }
    }

    /// Its Clopper–Pearson interval, the upper end with cases that could not be judged counted as violated.
    pub fn ci95(&self) -> Interval {
        violation_interval(self.violated, self.unknown, self.holds)
    }
}

/// What kinds of faults a scenario has, coarsely.
pub fn fault_family(header: &CellHeader) -> &'static str {
    let mut families: Vec<&str> = header.faults.iter().map(|fault| family_of_kind(&fault.kind)).collect();
    families.sort_unstable();
    families.dedup();
    match families.as_slice() {
        [] => "no fault",
        [one] => FAMILIES.into_iter().find(|family| family == one).unwrap_or("other"),
        _ => "several",
    }
}

/// All answers of [`fault_family`], in the order of reports.
pub const FAMILIES: [&str; 10] =
    ["no fault", "process pause", "VM pause", "crash", "clock", "partition", "network", "disk", "several", "other"];

fn family_of_kind(kind: &str) -> &'static str {
    match kind {
        "pause" => "process pause",
        "vm-pause" => "VM pause",
        "crash" | "failover" => "crash",
        "clock-step" | "clock-rate" | "clock-strobe" => "clock",
        "partition" => "partition",
        "latency" | "loss" | "duplicate" | "hold" | "slow" => "network",
        "disk-stall" => "disk",
        _ => "other",
    }
}

/// Whether a cell shows the lock itself: no guard at the store stands in for it, and no dial is turned.
pub fn is_bare(header: &CellHeader) -> bool {
    let unguarded = header.guard.as_deref().is_none_or(|guard| guard == "none");
    let blind = header.update.as_deref().is_none_or(|update| matches!(update, "target" | "decrement"));
    header.dose.is_none() && unguarded && blind
}

#[cfg(test)]
mod tests {
    use fencepost_scenarios::results::FaultLabel;

    use super::*;

    #[test]
    fn kinds_of_one_family_are_no_mixture() {
        let header = |kinds: &[&str]| CellHeader {
            faults: kinds.iter().map(|kind| FaultLabel { name: "f".into(), kind: (*kind).into() }).collect(),
            ..CellHeader::default()
        };
        let of = |kinds: &[&str]| fault_family(&header(kinds));
        assert_eq!(
            [of(&[]), of(&["clock-step", "clock-rate"]), of(&["pause", "crash"])],
            ["no fault", "clock", "several"]
        );
        assert_eq!(of(&["<script>"]), "other");
    }

    #[test]
    fn nothing_pooled_has_no_meaning() {
        assert!(Pooled::of([], Property::NoOversell).is_none());
        assert!(Pooled::worst_of(&[], &HARM).is_none());
    }
}
