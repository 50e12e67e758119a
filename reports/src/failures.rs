//! The cells that failed, with the counterexample and the anchor of each in the page.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::PropertyCount;

use crate::case_record::CaseRecord;
use crate::explain::{chains, most_severe};
use crate::grid::Cell;
use crate::packed::packed;
use crate::timeline::{self, without_style};

/// The counterexample of a cell: its smallest case, explained and drawn.
#[derive(Clone, Debug, Default)]
pub struct Counterexample {
    /// The command that replays it, if it is not the case of the first seed.
    pub command: Option<String>,
    /// The size of the shrunk case: faults and clients.
    pub smallest: Option<String>,
    /// A summary of the violation.
    pub headline: Option<String>,
    /// The chain of causes, one sentence each; the last is the violation.
    pub causes: Vec<String>,
    /// The case as a timeline: an SVG of this crate, without a style of its own.
    pub diagram: Option<String>,
}

impl Counterexample {
    /// Creates the counterexample of a record.
    pub fn from_record(record: &CaseRecord) -> Self {
        let chains = chains(record);
        let Some(chain) = most_severe(&chains) else { return Counterexample::default() };
        let causes = chain.causes.iter().map(|cause| format!("{}: {}", cause.at, cause.text));
        let sentence = format!("{} is violated: {}", chain.property.name(), chain.sentence);
        Counterexample {
            headline: Some(chain.headline(record)),
            causes: causes.chain([sentence]).collect(),
            diagram: Some(without_style(&timeline::svg(record))),
            ..Counterexample::default()
        }
    }
}

/// One failing cell.
#[derive(Clone, Debug)]
pub struct Failure<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// Its anchor in the page: a valid fragment for all names.
    pub anchor: String,
    /// The violated properties, the most severe first.
    pub violated: Vec<(Property, PropertyCount)>,
    /// The seed of a failing case.
    pub seed: u64,
    /// Its counterexample.
    pub counterexample: Option<&'a Counterexample>,
    /// How the page shows its diagram.
    pub drawing: Drawing,
}

/// How a page shows a diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// There is no diagram.
    None,
    /// The diagram is in the article.
    Inline,
    /// The diagram is compressed, and the page's script draws it.
    Packed,
    /// The diagram does not fit into the page.
    LeftOut,
}

/// All failing cells, in the order of the cells.
#[derive(Clone, Debug, Default)]
pub struct Failures<'a> {
    list: Vec<Failure<'a>>,
    packed: String,
    positions: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Failures<'a> {
    /// Finds the cells that violated anything. No diagram is included until [`Failures::allot`].
    pub fn of(cells: &'a [Cell], counterexamples: &'a BTreeMap<(String, String), Counterexample>) -> Self {
        let mut failures = Failures::default();
        for (at, cell) in cells.iter().enumerate() {
            let (header, result) = cell;
            let mut violated: Vec<(Property, PropertyCount)> = (result.properties())
                .filter(|(_, count)| header.applicable && count.violated > 0)
                .map(|(property, count)| (property, *count))
                .collect();
            violated.sort_by_key(|(property, _)| (property.severity(), *property));
            let Some(seed) = violated.first().and_then(|(_, count)| count.first_seed) else { continue };
            failures.positions.insert((&header.scenario, &header.lock), failures.list.len());
            let counterexample = counterexamples.get(&(header.scenario.clone(), header.lock.clone()));
            let anchor = anchor(&header.scenario, &header.lock, at);
            let drawn = counterexample.is_some_and(|counterexample| counterexample.diagram.is_some());
            let drawing = if drawn { Drawing::LeftOut } else { Drawing::None };
            failures.list.push(Failure { cell, anchor, violated, seed, counterexample, drawing });
        }
        failures
    }

    /// Returns all failures.
    pub fn all(&self) -> &[Failure<'a>] {
        &self.list
    }

    /// Returns the compressed diagrams that the page's script draws.
    pub fn packed(&self) -> &str {
        &self.packed
    }

    /// Returns the anchor of a cell in the page, if it failed.
    pub fn anchor(&self, scenario: &str, lock: &str) -> Option<&str> {
        self.positions.get(&(scenario, lock)).map(|index| self.list[*index].anchor.as_str())
    }

    /// Spends at most `room` bytes on diagrams. One diagram of each lock is inline, for readers without scripts. Of the
    /// others, as many as fit are compressed.
    pub fn allot(&mut self, room: usize) {
        let (first, others) = self.by_rounds();
        let mut left = room;
        for at in first {
            let size = self.list[at].diagram().map_or(0, str::len);
            if size <= left {
                left -= size;
                self.list[at].drawing = Drawing::Inline;
            }
        }
        self.pack(&others, left);
    }

    /// Orders failures in rounds of the next most severe failure of each lock. Returns the first round and the rest.
    fn by_rounds(&self) -> (Vec<usize>, Vec<usize>) {
        let mut rounds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, failure) in self.list.iter().enumerate().filter(|(_, failure)| failure.diagram().is_some()) {
            rounds.entry(&failure.cell.0.lock).or_default().push(at);
        }
        for places in rounds.values_mut() {
            places.sort_by(|a, b| self.list[*a].by_severity(&self.list[*b]).then(a.cmp(b)));
        }
        let of_round = |round: usize| rounds.values().filter_map(move |places| places.get(round).copied());
        let most = rounds.values().map(Vec::len).max().unwrap_or(0);
        (of_round(0).collect(), (1..most).flat_map(of_round).collect())
    }

    /// Packs as many diagrams as fit, in this order.
    fn pack(&mut self, order: &[usize], room: usize) {
        let mut count = order.len();
        self.packed = self.packed_in_page_order(order);
        // All diagrams usually fit. If not, packing is the only way to find out how many do.
        while self.packed.len() > room {
            count = (count * room / self.packed.len()).min(count - 1);
            self.packed = self.packed_in_page_order(&order[..count]);
        }
        for at in &order[..count] {
            self.list[*at].drawing = Drawing::Packed;
        }
    }

    /// Packs in the order of the page, since adjacent diagrams of one scenario compress best.
    fn packed_in_page_order(&self, chosen: &[usize]) -> String {
        let mut chosen = chosen.to_vec();
        chosen.sort_unstable();
        packed(chosen.iter().filter_map(|at| Some((self.list[*at].anchor.as_str(), self.list[*at].diagram()?))))
    }
}

impl Failure<'_> {
    /// Returns the diagram, if there is one.
    pub fn diagram(&self) -> Option<&str> {
        self.counterexample?.diagram.as_deref()
    }

    /// Orders by severity, then by frequency, highest first.
    fn by_severity(&self, other: &Self) -> Ordering {
        let [mine, others] = [self, other].map(|failure| failure.violated.first());
        let severity =
            |of: Option<&(Property, PropertyCount)>| of.map(|(property, _)| (property.severity(), *property));
        let rate = |of: Option<&(Property, PropertyCount)>| of.and_then(|(_, count)| count.rate()).unwrap_or(0.0);
        severity(mine).cmp(&severity(others)).then(rate(others).total_cmp(&rate(mine)))
    }
}

/// Returns the anchor of a cell. Plain lower-case names are kept, so links stay valid; other names are numbered.
fn anchor(scenario: &str, lock: &str, at: usize) -> String {
    let plain = |name: &str| {
        name.len() <= 60 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if plain(scenario) && plain(lock) { format!("f.{scenario}.{lock}") } else { format!("f.{at}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_make_plain_anchors() {
        assert_eq!(anchor("client-pauses", "redlock", 3), "f.client-pauses.redlock");
        assert_eq!(anchor("\"><script>", "redlock", 3), "f.3");
        assert_eq!(anchor("a b", "x", 4), "f.4");
    }
}
