//! `fencepost replay`: runs one case again, and compares it with what is known of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fencepost_reports::text::replay_command;
use fencepost_scenarios::case::{self, CaseReport};
use fencepost_scenarios::cell::Cell;
use fencepost_scenarios::file::{CasePin, Expectation};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_sim::{LAYOUT, TraceHash};
use serde_json::{Map, Value, json};

use super::address::Address;
use super::exit::{Exit, Failure};
use super::fail_on::{EXPECTED, FailOn};
use super::manifest::replay_flags;
use super::screen::{Format, print, print_json};
use super::selection::{cell, cell_of, check_bugs, load_scenario, lock_named};
use super::story;
use super::trace_file::TraceFile;

/// What `replay` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The case, or the file of a reproducer; SCENARIO is a shipped name or a path that ends in .toml
    #[arg(value_name = "SCENARIO/LOCK/SEED|FILE")]
    case: String,
    /// Write everything that happens to this file, one event a line
    #[arg(long, value_name = "FILE", env = "FENCEPOST_TRACE")]
    trace: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
    /// Switch these bugs of the lock on
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', env = "FENCEPOST_BUG")]
    bug: Vec<String>,
    /// Exit with 100 if one of these properties is violated, or `any`
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
}

/// A case, ready to run, and what is known of it.
struct Replay {
    cell: Cell,
    seed: u64,
    bugs: Vec<String>,
    pin: Option<CasePin>,
    /// The command that does this again.
    command: String,
}

/// Replays it.
pub(super) fn replay(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let fail_on = FailOn::read(&arguments.fail_on)?;
    let replay = Replay::load(registry, arguments)?;
    let report = replay.run(arguments.trace.as_deref())?;
    match arguments.format {
        Format::Human => print(&story::tell(&replay.cell.case_name(replay.seed), &report))?,
        Format::Json => print_json(&replay.json(&report))?,
    }
    let (diverged, broken) = (replay.divergences(&report), replay.broken(&report, &fail_on));
    diverged.iter().for_each(|what| eprintln!("diverged: {what}"));
    broken.iter().for_each(|what| eprintln!("failed: {what}"));
    if !diverged.is_empty() || !broken.is_empty() {
        eprintln!("to reproduce: {}", replay.command);
    }
    Ok(match (diverged.is_empty(), broken.is_empty()) {
        (false, _) => Exit::Diverged,
        (true, false) => Exit::Violated,
        (true, true) => Exit::Done,
    })
}

impl Replay {
    fn load(registry: &Registry, arguments: &Arguments) -> Result<Self, Failure> {
        if arguments.case.ends_with(".toml") {
            return Replay::pinned(registry, arguments);
        }
        let help = "such as `fencepost replay quiet/none/0`";
        let address: Address = arguments.case.parse().map_err(|message: String| Failure::usage(message, help))?;
        let (cell, bugs) = (cell_of(registry, &address, &arguments.bug)?, arguments.bug.clone());
        let command = replay_command(&address.scenario, &address.lock, address.seed, &replay_flags(&bugs));
        Ok(Replay { cell, seed: address.seed, bugs, pin: None, command })
    }

    /// The case that a reproducer pins.
    fn pinned(registry: &Registry, arguments: &Arguments) -> Result<Self, Failure> {
        let file = &arguments.case;
        let scenario = load_scenario(registry, file)?.scenario;
        let Some(pin) = scenario.case.clone() else {
            let message = format!("{file} is a scenario without `[case]`, so it does not say which case to replay");
            return Err(Failure::usage(message, format!("name lock and seed: `fencepost replay {file}/LOCK/SEED`")));
        };
        let mut bugs = pin.bugs.clone();
        bugs.extend(arguments.bug.iter().filter(|bug| !pin.bugs.contains(bug)).cloned());
        check_bugs(registry, &bugs)?;
        let cell = cell(&scenario, lock_named(registry, &pin.lock)?, &bugs)?;
        let flags = replay_flags(&arguments.bug);
        let command = format!("fencepost replay {file} {flags}").trim_end().to_owned();
        // With other bugs it is another case, of which nothing is known.
        let pin = (bugs == pin.bugs).then_some(pin);
        let seed = scenario.case.as_ref().map_or(0, |pin| pin.seed);
        Ok(Replay { cell, seed, bugs, pin, command })
    }

    fn run(&self, trace: Option<&Path>) -> Result<CaseReport, Failure> {
        let Some(path) = trace else { return Ok(case::run(&self.cell, self.seed, None)) };
        let file = Rc::new(RefCell::new(TraceFile::create(path)?));
        let report = case::run(&self.cell, self.seed, Some(file.clone()));
        file.borrow_mut().finish(path)?;
        Ok(report)
    }

    /// In what the case is not the one that was pinned.
    fn divergences(&self, report: &CaseReport) -> Vec<String> {
        let Some(pin) = &self.pin else { return Vec::new() };
        let mut found = Vec::new();
        let now = TraceHash(report.outcome.trace).to_string();
        if let Some(then) = &pin.trace {
            if pin.layout != LAYOUT {
                eprintln!("note: the trace was hashed under layout {}, this is {LAYOUT}: not compared", pin.layout);
            } else if *then != now {
                found.push(format!("the trace hashes to {now}, and the file says {then}"));
            }
        }
        for (property, _) in pin.expect.iter().filter(|(_, expected)| **expected == Expectation::Violated) {
            let verdict = report.outcome.verdict(*property);
            if verdict != Verdict::Violated {
                let (name, verdict) = (property.name(), story::word(verdict));
                found.push(format!("{name}: {verdict}, and [case.expect] says that it is violated"));
            }
        }
        found
    }

    /// The violations that make the replay fail.
    fn broken(&self, report: &CaseReport, fail_on: &FailOn) -> Vec<String> {
        let violated = report.outcome.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Violated);
        let name = self.cell.case_name(self.seed);
        let reasons = violated.filter_map(|(property, _)| Some((property, self.reason(*property, fail_on)?)));
        reasons.map(|(property, why)| format!("{name}: {} is violated, and {why}", property.name())).collect()
    }

    /// What the case itself is expected to show outranks what its scenario is.
    fn reason(&self, property: Property, fail_on: &FailOn) -> Option<&'static str> {
        let expected = self.pin.as_ref().and_then(|pin| pin.expect.get(&property));
        match (fail_on.reason(&self.cell, property), expected) {
            (Some(EXPECTED), Some(Expectation::Violated)) => None,
            (None, Some(Expectation::Holds)) => Some("[case.expect] says that it holds"),
            (reason, _) => reason,
        }
    }

    fn json(&self, report: &CaseReport) -> Value {
        let (outcome, header) = (&report.outcome, &self.cell.header);
        let verdicts: Map<String, Value> =
            outcome.verdicts.iter().map(|(property, verdict)| (property.name().into(), json!(verdict))).collect();
        let metrics: BTreeMap<&str, i64> =
            outcome.metrics.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
        let faults: Map<String, Value> = (header.faults.iter().zip(&outcome.faults))
            .map(|(fault, tally)| {
                let (planned, fired, touched) = (tally.planned, tally.fired, tally.touched);
                let told = json!({ "kind": fault.kind, "planned": planned, "fired": fired, "touched": touched });
                (fault.name.clone(), told)
            })
            .collect();
        json!({
            "schema_version": 1,
            "scenario": header.scenario,
            "lock": header.lock,
            "seed": self.seed,
            "bugs": self.bugs,
            "layout": LAYOUT,
            "trace": TraceHash(outcome.trace).to_string(),
            "events": outcome.events,
            "ended_ns": report.ended.0,
            "verdicts": verdicts,
            "evidence": story::evidence(report, None),
            "metrics": metrics,
            "faults": faults,
        })
    }
}
