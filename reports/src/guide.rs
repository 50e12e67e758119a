//! The decision guide: sentences computed from the results, each with the cells that carry it.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::Tally;
use fencepost_sim::faults::FaultFamily;

use crate::comparable::Comparable;
use crate::grid::{Cell, Grid};
use crate::guards::Guards;
use crate::pool::{FaultGroup, Measure, NO_LOCK, Pooled, bare};
use crate::text::{clipped, grouped, of, percent, short, visible};
use crate::use_cases::{Harm, workloads};

const CRASH: FaultGroup = FaultGroup::Family(FaultFamily::Crash);
const PAUSES: [FaultGroup; 2] =
    [FaultGroup::Family(FaultFamily::ProcessPause), FaultGroup::Family(FaultFamily::VmPause)];

/// A question that a reader comes with, and what the results say to it.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The question.
    pub question: String,
    /// The sentences of the answer.
    pub sentences: Vec<Sentence>,
}

/// A sentence with what carries it.
pub type Sentence = Vec<Part>;

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(String),
    /// Words that a table carries.
    Table {
        /// The words.
        words: String,
        /// Where it stands in the page.
        fragment: &'static str,
    },
    /// Words that a cell carries.
    Cell {
        /// The words.
        words: String,
        /// The cell's scenario.
        scenario: String,
        /// The cell's lock.
        lock: String,
    },
}

/// The tables that sentences lead to.
const COMPARISON: &str = "comparison";
const GUARDS: &str = "guards";

/// At most so many locks are named in one list.
const MOST_NAMED: usize = 8;

/// All of the advice that these results allow.
pub fn guide(cells: &[Cell]) -> Vec<Advice> {
    let bare: Vec<&Cell> = bare(cells).into_iter().filter(|(header, _)| header.applicable).collect();
    let grid = Grid::new(bare.iter().copied());
    let locks: Vec<&str> = grid.locks.iter().copied().filter(|lock| *lock != NO_LOCK).collect();
    let advice = [
        ("If a duplicate costs you cents", cents(cells, &bare, &locks)),
        ("If it costs you data", data(&bare, &locks)),
        ("If the store can check", checks(cells)),
        ("If holders die", deaths(&bare, &locks)),
        ("If lock servers die, restart or are cut off", servers(&bare, &locks)),
        ("If clocks jump", clocks(&bare, &locks)),
    ];
    let told = advice.into_iter().filter(|(_, sentences)| !sentences.is_empty());
    told.map(|(question, sentences)| Advice { question: question.into(), sentences }).collect()
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

/// What each lock did in some of the cells.
fn judged<'a>(
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

/// `a (1 of 20), b (2 of 20)`, each with its worst cell; the others counted, with the table that has them.
fn violators(judged: &[(&str, Pooled, Vec<&Cell>)], fragment: &'static str) -> Vec<Part> {
    let mut broke: Vec<_> = judged.iter().filter(|(_, pooled, _)| pooled.count.violated > 0).collect();
    broke.sort_by(|a, b| b.1.rate().total_cmp(&a.1.rate()));
    let mut parts = Vec::new();
    for (at, (lock, pooled, mine)) in broke.iter().take(MOST_NAMED).enumerate() {
        parts.push(text(if at == 0 { "" } else { ", " }));
        let unjudged = if pooled.count.unknown > 0 { format!(" +{}?", pooled.count.unknown) } else { String::new() };
        let (violated, judged) = (grouped(pooled.count.violated.into()), grouped(pooled.count.decided().into()));
        let words = format!("{} ({violated} of {judged}{unjudged})", clipped(lock, 24));
        parts.push(
            pooled
                .worst
                .or(mine.first().copied())
                .map_or_else(|| text(words.clone()), |worst| cell(words.clone(), worst)),
        );
    }
    if broke.len() > MOST_NAMED {
        parts.push(text(" and "));
        parts.push(table(format!("{} more", broke.len() - MOST_NAMED), fragment));
    }
    parts
}

/// `0 of 200 (≤ 1.8 %): a, b; 0 of 100 (≤ 3.6 %): c`, each with a cell of its own.
fn clean(judged: &[(&str, Pooled, Vec<&Cell>)]) -> Vec<Part> {
    let mut kept: Vec<_> = judged.iter().filter(|(_, pooled, _)| pooled.count.violated == 0).collect();
    kept.sort_by(|a, b| a.1.count.ci95().upper.total_cmp(&b.1.count.ci95().upper));
    let mut parts = Vec::new();
    let mut bound = String::new();
    for (lock, pooled, mine) in kept {
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

fn cents<'a>(all: &[Cell], cells: &[&Cell], locks: &[&'a str]) -> Vec<Sentence> {
    let calm = judged(cells, locks, Measure::Harm, |(header, _)| header.faults.is_empty());
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
            "Take the lock that you can run, and multiply the share of your own incidents by your own price before you pay for a stronger one. Where nothing went wrong these did no harm: ",
            clean(&calm),
            ".",
        ),
        sentence(
            "Where nothing went wrong but work that outlasted the lease, these did: ",
            violators(&calm, COMPARISON),
            ".",
        ),
        sentence("Fewest messages per acquire, without faults: ", cheapest, "."),
    ];
    all.into_iter().flatten().chain(harms(cells, locks)).collect()
}

/// What failures of locks that save work cost, workload by workload, since each has a unit of its own.
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
    let told =
        |(harm, cell_of): &(f64, &Cell)| cell(format!("{} ({})", short(*harm), clipped(&cell_of.0.lock, 24)), cell_of);
    let (least, most) = (harms.first()?, harms.last()?);
    let unit = visible(&most.1.0.harm_unit);
    Some(vec![
        text(format!("Under these exaggerated faults {} cost per 1,000 orders from ", clipped(workload, 24))),
        told(least),
        text(" to "),
        told(most),
        text(format!(" {unit}, by lock.")),
    ])
}

fn data(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let pauses = judged(cells, locks, Measure::Harm, |(header, _)| PAUSES.contains(&FaultGroup::of_cell(header)));
    let all = judged(cells, locks, Measure::Harm, |_| true);
    let total = all.len();
    let broke = all.iter().filter(|(_, pooled, _)| pooled.count.violated > 0).count();
    let summary = (total > 0).then(|| {
        let count = format!("{broke} of {total} locks");
        let worst = all.iter().max_by(|a, b| a.1.rate().total_cmp(&b.1.rate())).and_then(|(_, pooled, _)| pooled.worst);
        vec![
            text("Do not lean on the lock alone: with nothing checked at the store, "),
            worst.map_or_else(|| text(count.clone()), |worst| cell(count.clone(), worst)),
            text(" did harm somewhere in this run."),
        ]
    });
    let sentences = [
        summary,
        sentence("When processes or machines are paused, these did harm: ", violators(&pauses, COMPARISON), "."),
        sentence("These did none there: ", clean(&pauses), ". A bound is not a promise: 0 of n leaves room for it."),
    ];
    sentences.into_iter().flatten().collect()
}

fn checks(cells: &[Cell]) -> Vec<Sentence> {
    let Some(guards) = Guards::of(cells) else { return Vec::new() };
    let mut sentences = vec![vec![
        text("One scenario, "),
        table(clipped(guards.scenario, 40), GUARDS),
        text(", with nothing changed but what the store checks:"),
    ]];
    for guard in &guards.columns {
        let judged: Vec<(&str, Pooled, Vec<&Cell>)> = (guards.locks.iter())
            .filter(|lock| **lock != NO_LOCK)
            .filter_map(|lock| {
                let pooled =
                    guards.pooled(lock, guard, Property::NoLostUpdate).filter(|pooled| pooled.count.decided() > 0)?;
                Some((*lock, pooled, guards.cells(lock, guard).collect()))
            })
            .collect();
        let (violated, cases) = judged
            .iter()
            .fold((0, 0), |(violated, cases), (_, p, _)| (violated + p.count.violated, cases + p.count.decided()));
        let locks = judged.len();
        let lost = judged.iter().filter(|(_, pooled, _)| pooled.count.violated > 0).count();
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
                " {lost} of {locks} locks lost updates, in {} of the cases of all {locks}: ",
                percent(violated as f64 / cases as f64)
            ),
        };
        let mut parts = vec![table(begin, GUARDS), text(words)];
        match lost {
            0 => {}
            _ => parts.extend(violators(&judged, GUARDS)),
        }
        parts.push(text("."));
        sentences.push(parts);
    }
    sentences
}

fn deaths(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let crashes = judged(cells, locks, Property::Takeover, |(header, _)| FaultGroup::of_cell(header) == CRASH);
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
            "After a holder’s crash these kept waiters beyond their own bound: ",
            violators(&crashes, COMPARISON),
            ".",
        ),
        sentence("Within it in every case: ", clean(&crashes), "."),
        sentence("Longest waits for a dead holder, and the lock’s own bound without further faults: ", slowest, "."),
    ];
    sentences.into_iter().flatten().collect()
}

fn servers(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let faulty =
        |cell: &Cell| [CRASH, FaultGroup::Family(FaultFamily::Partition)].contains(&FaultGroup::of_cell(&cell.0));
    let grants = judged(cells, locks, Property::GrantExclusion, faulty);
    let progress = judged(cells, locks, Property::Progress, faulty);
    let sentences = [
        sentence(
            "Under crashes and partitions the service itself gave the lock twice with ",
            violators(&grants, COMPARISON),
            ".",
        ),
        sentence("It did not with ", clean(&grants), "."),
        sentence("These could not be had again in time once all was healed: ", violators(&progress, COMPARISON), "."),
    ];
    sentences.into_iter().flatten().collect()
}

fn clocks(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let clocks = judged(cells, locks, Measure::Harm, |(header, _)| {
        FaultGroup::of_cell(header) == FaultGroup::Family(FaultFamily::Clock)
    });
    let sentences = [
        sentence("Wrong clocks alone made these do harm: ", violators(&clocks, COMPARISON), "."),
        sentence("These did none: ", clean(&clocks), "."),
    ];
    sentences.into_iter().flatten().collect()
}
