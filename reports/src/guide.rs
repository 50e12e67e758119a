//! The decision guide: sentences computed from the results, each with the cells that carry it.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::results::Tally;

use crate::comparable::Comparable;
use crate::grid::{Cell, Grid};
use crate::guards::Guards;
use crate::pool::{HARM, Pooled, fault_family, is_bare};
use crate::text::{clipped, grouped, of, percent, short};
use crate::use_cases::Harm;

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

/// At most so many locks are named in one list.
const MOST_NAMED: usize = 8;

/// All of the advice that these results allow.
pub fn guide(cells: &[Cell]) -> Vec<Advice> {
    let bare: Vec<&Cell> = cells.iter().filter(|(header, _)| header.applicable && is_bare(header)).collect();
    let grid = Grid::new(bare.iter().copied());
    let locks: Vec<&str> = grid.locks.iter().copied().filter(|lock| *lock != "none").collect();
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

fn cell(words: String, (header, _): &Cell) -> Part {
    Part::Cell { words, scenario: header.scenario.clone(), lock: header.lock.clone() }
}

/// What each lock did in some of the cells, judged by what was violated most of some properties.
fn judged<'a>(
    cells: &[&'a Cell],
    locks: &[&'a str],
    properties: &[Property],
    which: impl Fn(&Cell) -> bool,
) -> Vec<(&'a str, Pooled<'a>, Vec<&'a Cell>)> {
    let of_lock = |lock: &&'a str| {
        let mine: Vec<&Cell> = cells.iter().copied().filter(|cell| cell.0.lock == **lock && which(cell)).collect();
        let pooled = Pooled::worst_of(&mine, properties).filter(|pooled| pooled.judged() > 0)?;
        Some((*lock, pooled, mine))
    };
    locks.iter().filter_map(of_lock).collect()
}

/// `a (1 of 20), b (2 of 20)`, each with its worst cell; the others counted.
fn violators(judged: &[(&str, Pooled, Vec<&Cell>)]) -> Vec<Part> {
    let mut broke: Vec<_> = judged.iter().filter(|(_, pooled, _)| pooled.violated > 0).collect();
    broke.sort_by(|a, b| b.1.rate().total_cmp(&a.1.rate()));
    let mut parts = Vec::new();
    for (at, (lock, pooled, mine)) in broke.iter().take(MOST_NAMED).enumerate() {
        parts.push(text(if at == 0 { "" } else { ", " }));
        let words = format!(
            "{} ({} of {})",
            clipped(lock, 24),
            grouped(pooled.violated.into()),
            grouped(pooled.judged().into())
        );
        parts.push(
            pooled
                .worst
                .or(mine.first().copied())
                .map_or_else(|| text(words.clone()), |worst| cell(words.clone(), worst)),
        );
    }
    if broke.len() > MOST_NAMED {
        parts.push(text(format!(" and {} more", broke.len() - MOST_NAMED)));
    }
    parts
}

/// `0 of 200 (≤ 1.8 %): a, b; 0 of 100 (≤ 3.6 %): c`, each with a cell of its own.
fn clean(judged: &[(&str, Pooled, Vec<&Cell>)]) -> Vec<Part> {
    let mut kept: Vec<_> = judged.iter().filter(|(_, pooled, _)| pooled.violated == 0).collect();
    kept.sort_by(|a, b| a.1.ci95().upper.total_cmp(&b.1.ci95().upper));
    let mut parts = Vec::new();
    let mut bound = String::new();
    for (lock, pooled, mine) in kept {
        let held = of(0, pooled.judged(), pooled.ci95().upper);
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
    let calm = judged(cells, locks, &HARM, |(header, _)| header.faults.is_empty());
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
    let faulty = |lock: &str| {
        let mine = cells.iter().copied().filter(|(header, _)| header.lock == lock && !header.faults.is_empty());
        Harm::of(mine.clone()).per_thousand().zip(mine.clone().next())
    };
    let mut harms: Vec<(f64, &Cell)> = locks.iter().filter_map(|lock| faulty(lock)).collect();
    harms.sort_by(|a, b| a.0.total_cmp(&b.0));
    let told = |(harm, first): &(f64, &Cell)| cell(format!("{} ({})", short(*harm), clipped(&first.0.lock, 24)), first);
    let harm = match (harms.first(), harms.last()) {
        (Some(least), Some(most)) => vec![vec![
            text("Under these exaggerated faults the harm per 1,000 orders ran from "),
            told(least),
            text(" to "),
            told(most),
            text(
                " by lock: multiply the share of your own incidents by your own price before you pay for a stronger lock.",
            ),
        ]],
        _ => Vec::new(),
    };
    let all = [
        sentence("Take the lock that you can run. Where nothing went wrong these did no harm: ", clean(&calm), "."),
        sentence("Where nothing went wrong but work that outlasted the lease, these did: ", violators(&calm), "."),
        sentence("Fewest messages per acquire, without faults: ", cheapest, "."),
    ];
    all.into_iter().flatten().chain(harm).collect()
}

fn data(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let pauses =
        judged(cells, locks, &HARM, |(header, _)| matches!(fault_family(header), "process pause" | "VM pause"));
    let all = judged(cells, locks, &HARM, |_| true);
    let total = all.len();
    let broke = all.iter().filter(|(_, pooled, _)| pooled.violated > 0).count();
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
        sentence("When the holder is paused, these did harm: ", violators(&pauses), "."),
        sentence("These did none there: ", clean(&pauses), ". A bound is not a promise: 0 of n leaves room for it."),
    ];
    sentences.into_iter().flatten().collect()
}

fn checks(cells: &[Cell]) -> Vec<Sentence> {
    let Some(guards) = Guards::of(cells) else { return Vec::new() };
    let mut sentences = Vec::new();
    for guard in &guards.columns {
        let judged: Vec<(&str, Pooled, Vec<&Cell>)> = (guards.locks.iter())
            .filter_map(|lock| {
                let pooled = guards.pooled(lock, guard, Property::NoLostUpdate).filter(|pooled| pooled.judged() > 0)?;
                Some((*lock, pooled, guards.cells(lock, guard).collect()))
            })
            .collect();
        let (violated, cases) =
            judged.iter().fold((0, 0), |(violated, cases), (_, p, _)| (violated + p.violated, cases + p.judged()));
        let locks = judged.len();
        let lost = judged.iter().filter(|(_, pooled, _)| pooled.violated > 0).count();
        if cases == 0 {
            continue;
        }
        let bound = fencepost_scenarios::stats::clopper_pearson(violated, cases).upper;
        let begin = match guard.as_str() {
            "none" => "With no check at the store".to_owned(),
            guard => format!("With “{}”", clipped(guard, 24)),
        };
        let words = match lost {
            0 => format!("{begin} none of {locks} locks lost an update: {}", of(0, cases, bound)),
            lost => format!(
                "{begin} {lost} of {locks} locks lost updates, in {} of cases: ",
                percent(violated as f64 / cases as f64)
            ),
        };
        let mut parts = vec![text(words)];
        match lost {
            0 => parts.extend(
                judged.first().and_then(|(_, _, mine)| mine.first()).map(|first| cell(" (cells)".into(), first)),
            ),
            _ => parts.extend(violators(&judged)),
        }
        parts.push(text("."));
        sentences.push(parts);
    }
    sentences
}

fn deaths(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let crashes = judged(cells, locks, &[Property::Takeover], |(header, _)| fault_family(header) == "crash");
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
            parts.push(cell(format!("{} ({} s)", clipped(lock, 24), short(*ns as f64 / 1e9)), worst));
        }
        parts
    };
    let sentences = [
        sentence("After a holder’s crash these kept waiters beyond their own bound: ", violators(&crashes), "."),
        sentence("Within it in every case: ", clean(&crashes), "."),
        sentence("Longest waits for a dead holder: ", slowest, "."),
    ];
    sentences.into_iter().flatten().collect()
}

fn servers(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let faulty = |cell: &Cell| {
        matches!(fault_family(&cell.0), "crash" | "partition")
            && cell.0.faults.iter().all(|fault| fault.kind != "pause")
    };
    let grants = judged(cells, locks, &[Property::GrantExclusion], faulty);
    let progress = judged(cells, locks, &[Property::Progress], faulty);
    let sentences = [
        sentence("Under crashes and partitions the service itself gave the lock twice with ", violators(&grants), "."),
        sentence("It did not with ", clean(&grants), "."),
        sentence("These could not be had again in time once all was healed: ", violators(&progress), "."),
    ];
    sentences.into_iter().flatten().collect()
}

fn clocks(cells: &[&Cell], locks: &[&str]) -> Vec<Sentence> {
    let clocks = judged(cells, locks, &HARM, |(header, _)| fault_family(header) == "clock");
    let sentences = [
        sentence("Wrong clocks alone made these do harm: ", violators(&clocks), "."),
        sentence("These did none: ", clean(&clocks), "."),
    ];
    sentences.into_iter().flatten().collect()
}
