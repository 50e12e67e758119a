//! The decision guide: sentences computed from the results, each with the cells behind it.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::Tally;
use fencepost_sim::faults::FaultFamily;

use crate::comparable::Comparable;
use crate::grid::{Cell, Grid};
use crate::guards::Guards;
use crate::pool::{FaultGroup, Measure, NO_LOCK, Pooled, unguarded_cells};
use crate::text::{clipped, grouped, of, percent, short, visible};
use crate::use_cases::{Harm, workloads};

const CRASH: FaultGroup = FaultGroup::Family(FaultFamily::Crash);
const PAUSES: [FaultGroup; 2] =
    [FaultGroup::Family(FaultFamily::ProcessPause), FaultGroup::Family(FaultFamily::VmPause)];

/// A reader's question and the answer of the results.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The question.
    pub question: String,
    /// The sentences of the answer.
    pub sentences: Vec<Sentence>,
}

/// A sentence with links to its evidence.
pub type Sentence = Vec<Part>;

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// Text backed by a table.
    Table {
        /// The text.
        words: String,
        /// The fragment of the table in the page.
        fragment: &'static str,
    },
    /// Text backed by a cell.
    Cell {
        /// The text.
        words: String,
        /// The cell's scenario.
        scenario: String,
        /// The cell's lock.
        lock: String,
    },
}

/// The fragments of tables that sentences link to.
const COMPARISON: &str = "comparison";
const GUARDS: &str = "guards";

/// The maximum number of locks named in one list.
const MOST_NAMED: usize = 8;

/// Returns the advice that these results support.
pub fn guide(cells: &[Cell]) -> Vec<Advice> {
    let unguarded: Vec<&Cell> = unguarded_cells(cells).into_iter().filter(|(header, _)| header.applicable).collect();
    let grid = Grid::new(unguarded.iter().copied());
    let locks: Vec<&str> = grid.locks.iter().copied().filter(|lock| *lock != NO_LOCK).collect();
    let advice = [
        ("If duplicates are cheap", cheap_duplicates(cells, &unguarded, &locks)),
        ("If a failure loses data", data_loss(&unguarded, &locks)),
        ("If the store can check writes", store_checks(cells)),
        ("If holders crash", holder_crashes(&unguarded, &locks)),
        ("If lock servers crash, restart or are partitioned", server_failures(&unguarded, &locks)),
        ("If clocks step or drift", clock_faults(&unguarded, &locks)),
    ];
    let answered = advice.into_iter().filter(|(_, sentences)| !sentences.is_empty());
    answered.map(|(question, sentences)| Advice { question: question.into(), sentences }).collect()
}

fn text(words: impl Into<String>) -> Part {
    Part::Text(words.into())
}

fn table(words: impl Into<String>, fragment: &'static str) -> Part {
    Part::Table { words: words.into(), fragment }
}

fn cell(words: String, (header, _): &Cell) -> Part {
    Part::Cell { words, scenario: header.scenario.clone(), lock: header.lock.clone() }
}

/// Pools the verdicts of each lock over the cells that `which` selects.
fn by_lock<'a>(
    cells: &[&'a Cell],
    locks: &[&'a str],
    measure: impl Into<Measure>,
    which: impl Fn(&Cell) -> bool,
) -> Vec<(&'a str, Pooled<'a>, Vec<&'a Cell>)> {
    let measure = measure.into();
    let of_lock = |lock: &&'a str| {
        let mine: Vec<&Cell> = cells.iter().copied().filter(|cell| cell.0.lock == **lock && which(cell)).collect();
        let pooled = Pooled::of(mine.iter().copied(), measure).filter(|pooled| pooled.count.decided() > 0)?;
        Some((*lock, pooled, mine))
    };
    locks.iter().filter_map(of_lock).collect()
}

/// Returns `a (1 of 20), b (2 of 20)`, each linked to its worst cell, and the number of other locks.
fn violators(pooled_locks: &[(&str, Pooled, Vec<&Cell>)], fragment: &'static str) -> Vec<Part> {
    let mut violating: Vec<_> = pooled_locks.iter().filter(|(_, pooled, _)| pooled.count.violated > 0).collect();
    violating.sort_by(|a, b| b.1.rate().total_cmp(&a.1.rate()));
    let mut parts = Vec::new();
    for (at, (lock, pooled, mine)) in violating.iter().take(MOST_NAMED).enumerate() {
        parts.push(text(if at == 0 { "" } else { ", " }));
        let unknown = if pooled.count.unknown > 0 { format!(" +{}?", pooled.count.unknown) } else { String::new() };
        let (violated, decided) = (grouped(pooled.count.violated.into()), grouped(pooled.count.decided().into()));
        let words = format!("{} ({violated} of {decided}{unknown})", clipped(lock, 24));
        parts.push(
            pooled
                .worst
                .or(mine.first().copied())
                .map_or_else(|| text(words.clone()), |worst| cell(words.clone(), worst)),
        );
    }
    if violating.len() > MOST_NAMED {
        parts.push(text(" and "));
        parts.push(table(format!("{} more", violating.len() - MOST_NAMED), fragment));
    }
    parts
}

/// Returns `0 of 200 (≤ 1.8 %): a, b; 0 of 100 (≤ 3.6 %): c`, each lock linked to one of its cells.
fn clean(pooled_locks: &[(&str, Pooled, Vec<&Cell>)]) -> Vec<Part> {
    let mut held_locks: Vec<_> = pooled_locks.iter().filter(|(_, pooled, _)| pooled.count.violated == 0).collect();
    held_locks.sort_by(|a, b| a.1.count.ci95().upper.total_cmp(&b.1.count.ci95().upper));
    let mut parts = Vec::new();
    let mut bound = String::new();
    for (lock, pooled, mine) in held_locks {
        let mut held = of(0, pooled.count.decided(), pooled.count.ci95().upper);
        if pooled.count.unknown > 0 {
            held += &format!(" +{}?", pooled.count.unknown);
        }
        if held == bound {
            parts.push(text(", "));
        } else {
            parts.push(text(format!("{}{held}: ", if parts.is_empty() { "" } else { "; " })));
            bound = held;
        }
        let name = clipped(lock, 24);
        parts.push(mine.first().map_or_else(|| text(name.clone()), |first| cell(name.clone(), first)));
    }
    parts
}

fn sentence(begin: &str, list: Vec<Part>, end: &str) -> Option<Sentence> {
    (!list.is_empty()).then(|| std::iter::once(text(begin)).chain(list).chain([text(end)]).collect())
}

fn cheap_duplicates<'a>(all: &[Cell], cells: &[&Cell], locks: &[&'a str]) -> Vec<Sentence> {
    let calm = by_lock(cells, locks, Measure::Harm, |(header, _)| header.faults.is_empty());
    let comparable = Comparable::of(all);
    let cost = |lock: &str| {
        let [calm, _] = comparable.cells(all, lock);
        let (mut messages, mut acquires) = (0, 0);
        for (_, result) in calm {
            messages += result.metric("lock_messages")?.total();
            acquires += result.metric("acquires")?.total();
        }
        (acquires > 0).then(|| messages as f64 / acquires as f64)
    };
    let of_lock = |lock: &&'a str| Some((*lock, cost(lock)?, *comparable.cells(all, lock)[0].first()?));
    let mut costs: Vec<(&str, f64, &Cell)> = locks.iter().filter_map(of_lock).collect();
    costs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut cheapest = Vec::new();
    for (at, (lock, cost, first)) in costs.iter().take(5).enumerate() {
        cheapest.push(text(if at == 0 { "" } else { ", " }));
        cheapest.push(cell(format!("{} ({})", clipped(lock, 24), short(*cost)), first));
    }
    let all = [
        sentence(
            "Use the lock that you can already run. Before you pay for a stronger one, multiply your own rate of incidents by the cost of one. Without faults, these did no harm: ",
            clean(&calm),
            ".",
        ),
        sentence(
            "Without faults, but with work that outlasted the lease, these did harm: ",
            violators(&calm, COMPARISON),
            ".",
        ),
        sentence("Fewest messages per acquire without faults: ", cheapest, "."),
    ];
    all.into_iter().flatten().chain(harms(cells, locks)).collect()
}

/// Returns the cost of failures if locks only save work. Each workload has its own unit and so its own sentence.
fn harms(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let faulty: Vec<&Cell> = (cells.iter().copied())
        .filter(|(header, _)| header.use_case == "efficiency" && !header.faults.is_empty())
        .collect();
    let grid = Grid::new(faulty.iter().copied());
    workloads(&grid).into_iter().filter_map(|workload| harm_of(workload, &faulty, locks)).collect()
}

fn harm_of(workload: &str, faulty: &[&Cell], locks: &[&str]) -> Option<Sentence> {
    let of_lock = |lock: &&str| {
        let mine = faulty.iter().copied().filter(|(header, _)| header.lock == **lock && header.workload == workload);
        let harm = Harm::sum(mine.clone());
        Some((harm.per_thousand()?, harm.worst.or(mine.clone().next())?))
    };
    let mut harms: Vec<(f64, &Cell)> = locks.iter().filter_map(of_lock).collect();
    harms.sort_by(|a, b| a.0.total_cmp(&b.0));
    let linked =
        |(harm, cell_of): &(f64, &Cell)| cell(format!("{} ({})", short(*harm), clipped(&cell_of.0.lock, 24)), cell_of);
    let (least, most) = (harms.first()?, harms.last()?);
    let unit = visible(&most.1.0.harm_unit);
    Some(vec![
        text(format!("Under these exaggerated faults, {} cost per 1,000 orders from ", clipped(workload, 24))),
        linked(least),
        text(" to "),
        linked(most),
        text(format!(" {unit}, by lock.")),
    ])
}

fn data_loss(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let pauses = by_lock(cells, locks, Measure::Harm, |(header, _)| PAUSES.contains(&FaultGroup::of_cell(header)));
    let all = by_lock(cells, locks, Measure::Harm, |_| true);
    let total = all.len();
    let broke = all.iter().filter(|(_, pooled, _)| pooled.count.violated > 0).count();
    let summary = (total > 0).then(|| {
        let count = format!("{broke} of {total} locks");
        let worst = all.iter().max_by(|a, b| a.1.rate().total_cmp(&b.1.rate())).and_then(|(_, pooled, _)| pooled.worst);
        vec![
            text("Do not rely on the lock alone. With no check at the store, "),
            worst.map_or_else(|| text(count.clone()), |worst| cell(count.clone(), worst)),
            text(" did harm somewhere in this run."),
        ]
    });
    let sentences = [
        summary,
        sentence("When processes or machines paused, these did harm: ", violators(&pauses, COMPARISON), "."),
        sentence(
            "These did none: ",
            clean(&pauses),
            ". 0 of n is not a promise: the true rate may be as high as the bound.",
        ),
    ];
    sentences.into_iter().flatten().collect()
}

fn store_checks(cells: &[Cell]) -> Vec<Sentence> {
    let Some(guards) = Guards::of(cells) else { return Vec::new() };
    let mut sentences = vec![vec![
        text("One scenario, "),
        table(clipped(guards.scenario, 40), GUARDS),
        text(", in which only the check at the store differs:"),
    ]];
    for guard in &guards.columns {
        let pooled_locks: Vec<(&str, Pooled, Vec<&Cell>)> = (guards.locks.iter())
            .filter(|lock| **lock != NO_LOCK)
            .filter_map(|lock| {
                let pooled =
                    guards.pooled(lock, guard, Property::NoLostUpdate).filter(|pooled| pooled.count.decided() > 0)?;
                Some((*lock, pooled, guards.cells(lock, guard).collect()))
            })
            .collect();
        let (violated, cases) = pooled_locks
            .iter()
            .fold((0, 0), |(violated, cases), (_, p, _)| (violated + p.count.violated, cases + p.count.decided()));
        let locks = pooled_locks.len();
        let lost = pooled_locks.iter().filter(|(_, pooled, _)| pooled.count.violated > 0).count();
        if cases == 0 {
            continue;
        }
        let bound = fencepost_scenarios::run::stats::clopper_pearson(violated, cases).upper;
        let begin = match guard.as_str() {
            "none" => "With no check at the store".to_owned(),
            guard => format!("With “{}”", clipped(guard, 24)),
        };
        let words = match lost {
            0 => format!(" none of {locks} locks lost an update: {}", of(0, cases, bound)),
            lost => format!(
                " {lost} of {locks} locks lost updates, in {} of all their cases: ",
                percent(violated as f64 / cases as f64)
            ),
        };
        let mut parts = vec![table(begin, GUARDS), text(words)];
        match lost {
            0 => {}
            _ => parts.extend(violators(&pooled_locks, GUARDS)),
        }
        parts.push(text("."));
        sentences.push(parts);
    }
    sentences
}

fn holder_crashes(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let crashes = by_lock(cells, locks, Property::Takeover, |(header, _)| FaultGroup::of_cell(header) == CRASH);
    let slowest = {
        let mut all: Vec<(&str, u64, &Cell)> = (crashes.iter())
            .filter_map(|(lock, _, mine)| {
                let longest = |cell: &Cell| cell.1.metric("takeover_ns").map_or(0, Tally::max);
                let worst = mine.iter().copied().max_by_key(|cell| longest(cell)).filter(|cell| longest(cell) > 0)?;
                Some((*lock, longest(worst), worst))
            })
            .collect();
        all.sort_by_key(|(_, ns, _)| std::cmp::Reverse(*ns));
        let mut parts = Vec::new();
        for (at, (lock, ns, worst)) in all.iter().take(5).enumerate() {
            parts.push(text(if at == 0 { "" } else { ", " }));
            let bound =
                worst.0.takeover_bound.map_or_else(String::new, |bound| format!("; {} s", short(bound.as_secs_f64())));
            parts.push(cell(format!("{} ({} s{bound})", clipped(lock, 24), short(*ns as f64 / 1e9)), worst));
        }
        parts
    };
    let sentences = [
        sentence(
            "After a holder’s crash, waiters waited beyond the lock’s own bound with ",
            violators(&crashes, COMPARISON),
            ".",
        ),
        sentence("Waiters got the lock within the bound in every case with ", clean(&crashes), "."),
        sentence(
            "Longest waits after a holder’s crash, and the lock’s own bound without further faults: ",
            slowest,
            ".",
        ),
    ];
    sentences.into_iter().flatten().collect()
}

fn server_failures(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let faulty =
        |cell: &Cell| [CRASH, FaultGroup::Family(FaultFamily::Partition)].contains(&FaultGroup::of_cell(&cell.0));
    let grants = by_lock(cells, locks, Property::GrantExclusion, faulty);
    let progress = by_lock(cells, locks, Property::Progress, faulty);
    let sentences = [
        sentence(
            "Under crashes and partitions, the service itself granted the lock twice with ",
            violators(&grants, COMPARISON),
            ".",
        ),
        sentence("It did not with ", clean(&grants), "."),
        sentence("Not available again within the bound after healing: ", violators(&progress, COMPARISON), "."),
    ];
    sentences.into_iter().flatten().collect()
}

fn clock_faults(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let clocks = by_lock(cells, locks, Measure::Harm, |(header, _)| {
        FaultGroup::of_cell(header) == FaultGroup::Family(FaultFamily::Clock)
    });
    let sentences = [
        sentence("With clock faults alone, these did harm: ", violators(&clocks, COMPARISON), "."),
        sentence("These did none: ", clean(&clocks), "."),
    ];
    sentences.into_iter().flatten().collect()
}
