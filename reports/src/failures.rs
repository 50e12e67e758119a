//! The cells that failed, what is told of each, and where in the page it stands.

use std::collections::BTreeMap;

use fencepost_scenarios::property::Property;
use fencepost_scenarios::results::PropertyCount;

use crate::case_run::CaseRun;
use crate::explain::{chains, gravest};
use crate::grid::Cell;
use crate::timeline::{self, without_style};

/// What is known of a counterexample beyond the numbers: its smallest case, told and drawn.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// The command that shows it again, where it is not that of the first seed.
    pub command: Option<String>,
    /// What is left of it: faults and clients, in words.
    pub smallest: Option<String>,
    /// What went wrong, in a few words.
    pub headline: Option<String>,
    /// The chain of causes, one sentence each, the last being the violation.
    pub causes: Vec<String>,
    /// The case as a timeline: an SVG of this crate, without a style of its own.
    pub diagram: Option<String>,
}

impl Story {
    /// The story of a case that was watched.
    pub fn of(run: &CaseRun) -> Self {
        let chains = chains(run);
        let Some(chain) = gravest(&chains) else { return Story::default() };
        let causes = chain.causes.iter().map(|cause| format!("{}: {}", cause.at, cause.text));
        let sentence = format!("{} is violated: {}", chain.property.name(), chain.sentence);
        Story {
            headline: Some(chain.headline(run)),
            causes: causes.chain([sentence]).collect(),
            diagram: Some(without_style(&timeline::svg(run))),
            ..Story::default()
        }
    }

    /// How many bytes its drawing takes in the page.
    fn size(&self) -> usize {
        self.diagram.as_ref().map_or(0, String::len)
    }
}

/// One failing cell.
#[derive(Clone, Debug)]
pub struct Failure<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// Its place in the page, a valid fragment whatever the names.
    pub anchor: String,
    /// What it violated, worst first.
    pub violated: Vec<(Property, PropertyCount)>,
    /// The seed to see it by.
    pub seed: u64,
    /// What is told of it.
    pub story: Option<&'a Story>,
    /// Whether the page has room for its diagram.
    pub drawn: bool,
}

/// All failing cells, in their order.
#[derive(Clone, Debug, Default)]
pub struct Failures<'a> {
    list: Vec<Failure<'a>>,
    places: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Failures<'a> {
    /// Finds the cells that violated anything, and deals out so many bytes for diagrams.
    pub fn of(cells: &'a [Cell], stories: &'a BTreeMap<(String, String), Story>, room: usize) -> Self {
        let mut failures = Failures::default();
        for (at, cell) in cells.iter().enumerate() {
            let (header, result) = cell;
            let mut violated: Vec<(Property, PropertyCount)> = (result.properties())
                .filter(|(_, count)| header.applicable && count.violated > 0)
                .map(|(property, count)| (property, *count))
                .collect();
            violated.sort_by_key(|(property, _)| gravity(*property));
            let Some(seed) = violated.first().and_then(|(_, count)| count.first_seed) else { continue };
            failures.places.insert((&header.scenario, &header.lock), failures.list.len());
            let story = stories.get(&(header.scenario.clone(), header.lock.clone()));
            let anchor = anchor(&header.scenario, &header.lock, at);
            failures.list.push(Failure { cell, anchor, violated, seed, story, drawn: false });
        }
        failures.deal_room(room);
        failures
    }

    /// All of them.
    pub fn all(&self) -> &[Failure<'a>] {
        &self.list
    }

    /// The place of a cell in the page, if it failed.
    pub fn anchor(&self, scenario: &str, lock: &str) -> Option<&str> {
        self.places.get(&(scenario, lock)).map(|place| self.list[*place].anchor.as_str())
    }

    /// The locks get room in turn, each for its gravest and most frequent failures first.
    fn deal_room(&mut self, mut left: usize) {
        let mut turns: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, failure) in self.list.iter().enumerate() {
            turns.entry(&failure.cell.0.lock).or_default().push(at);
        }
        for places in turns.values_mut() {
            places.sort_by(|a, b| self.list[*a].rank().total_cmp(&self.list[*b].rank()).then(a.cmp(b)));
        }
        let most = turns.values().map(Vec::len).max().unwrap_or(0);
        let order: Vec<usize> =
            (0..most).flat_map(|turn| turns.values().filter_map(move |places| places.get(turn).copied())).collect();
        for at in order {
            let size = self.list[at].story.map_or(0, Story::size);
            if size > 0 && size <= left {
                left -= size;
                self.list[at].drawn = true;
            }
        }
    }
}

impl Failure<'_> {
    /// The graver and the more frequent, the smaller.
    fn rank(&self) -> f64 {
        self.violated.first().map_or(99.0, |(property, count)| gravity(*property) as f64 - count.rate().unwrap_or(0.0))
    }
}

/// What matters most comes first. Beliefs overlap under every lease whose holder is paused, so they come last.
fn gravity(property: Property) -> usize {
    const ORDER: [Property; 5] = [
        Property::NoLostUpdate,
        Property::NoOversell,
        Property::NoDuplicate,
        Property::Consistent,
        Property::EffectExclusion,
    ];
    match property {
        Property::BeliefExclusion => 90,
        Property::ValidityExclusion => 80,
        _ => ORDER.iter().position(|known| *known == property).unwrap_or(20 + property as usize),
    }
}

/// Names of lower-case words go in as they are, so that links to them last; others are numbered.
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
