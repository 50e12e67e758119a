//! `fencepost replay`: runs one case, prints its log, and compares it with the reproducer that pins it.

use std::path::{Path, PathBuf};

use fencepost_reports::case_json::explained_json;
use fencepost_reports::case_log::{LogOptions, render_log};
use fencepost_reports::case_record::{CaseRecord, Detail};
use fencepost_reports::explain::{chains, render_causes};
use fencepost_reports::terminal::Terminal;
use fencepost_reports::text::{replay_command, replay_file_command};
use fencepost_reports::timeline::{self, Theme};
use fencepost_scenarios::file::{CasePin, Expectation};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case::CaseReport;
use fencepost_scenarios::run::cell::Cell;
use fencepost_sim::{LAYOUT, TraceHash};
use serde_json::{Value, json};

use super::address::Address;
use super::bugs::{BugArguments, flags};
use super::exit::{Exit, Failure};
use super::fail_on::{EXPECTED, FailOn};
use super::screen::{Format, print, print_json, terminal};
use super::selection::{cell, cell_of, check_bugs, load_scenario, lock_named};
use super::traced::{run_traced, write_history};

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The case, or a reproducer file; SCENARIO is a shipped name or a path that ends in .toml
    #[arg(value_name = "SCENARIO/LOCK/SEED|FILE")]
    case: String,
    /// Write the trace to this file, one event per line
    #[arg(long, value_name = "FILE", env = "FENCEPOST_TRACE")]
    trace: Option<PathBuf>,
    /// Draw the violation to this file: a space-time diagram as SVG, HTML or PNG
    #[arg(long, value_name = "FILE.svg|.html|.png", env = "FENCEPOST_TIMELINE")]
    timeline: Option<PathBuf>,
    /// The colours of the timeline; `auto` follows the viewer's system setting (PNG: light)
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_THEME")]
    theme: Colours,
    /// Write the history of the lock to this file, for `check`
    #[arg(long, value_name = "FILE", env = "FENCEPOST_HISTORY")]
    history: Option<PathBuf>,
    /// The format of stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
    #[command(flatten)]
    bugs: BugArguments,
    /// Exit with 100 if one of these properties is violated, or `any`
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
    /// Print every event, including messages and timers that are otherwise only counted
    #[arg(long, env = "FENCEPOST_FULL")]
    full: bool,
    /// Print the whole case instead of the part around the violation
    #[arg(long, env = "FENCEPOST_WHOLE")]
    whole: bool,
}

/// The colours of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Colours {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Arguments {
    fn log_options(&self) -> LogOptions {
        let Terminal { width, colour } = terminal();
        LogOptions { full: self.full, whole: self.whole, colour, width: Some(width.into()) }
    }
}

/// A loaded case, and the pin of its reproducer, if any.
struct Replay {
    cell: Cell,
    seed: u64,
    bugs: Vec<String>,
    pin: Option<CasePin>,
    /// The command that repeats this replay.
    command: String,
}

/// Runs `replay`.
pub(super) fn replay(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let fail_on = FailOn::read(&arguments.fail_on)?;
    let replay = Replay::load(registry, arguments)?;
    if let Some(path) = &arguments.trace {
        run_traced(&replay.cell, replay.seed, path)?;
    }
    if let Some(path) = &arguments.history {
        write_history(&replay.cell, replay.seed, path)?;
    }
    let detail = if arguments.full { Detail::Full } else { Detail::Normal };
    let record = CaseRecord::watch_with(&replay.cell, replay.seed, detail);
    if let Some(path) = &arguments.timeline {
        draw(&record, path, arguments.theme)?;
    }
    match arguments.format {
        Format::Human => print(&replay_text(&record, arguments.log_options()))?,
        Format::Json => print_json(&replay.json(&record))?,
    }
    let report = record.report;
    let (diverged, failed) = (replay.divergences(&report), replay.failing_violations(&report, &fail_on));
    diverged.iter().for_each(|what| eprintln!("diverged: {what}"));
    failed.iter().for_each(|what| eprintln!("failed: {what}"));
    if !diverged.is_empty() || !failed.is_empty() {
        eprintln!("to reproduce: {}", replay.command);
    }
    Ok(match (diverged.is_empty(), failed.is_empty()) {
        (false, _) => Exit::Diverged,
        (true, false) => Exit::Violated,
        (true, true) => Exit::Done,
    })
}

/// Renders the chain of causes, followed by the log.
fn replay_text(record: &CaseRecord, options: LogOptions) -> String {
    let (causes, log) = (render_causes(&chains(record)), render_log(record, options));
    if causes.is_empty() { log } else { format!("{causes}\n{log}") }
}

/// Draws the timeline to a file.
fn draw(record: &CaseRecord, path: &Path, colours: Colours) -> Result<(), Failure> {
    let theme = match colours {
        Colours::Auto => Theme::Auto,
        Colours::Light => Theme::Light,
        Colours::Dark => Theme::Dark,
    };
    let help = "for example `--timeline why.svg`";
    let drawn = timeline::file(record, path, theme).map_err(|error| Failure::usage(error.to_string(), help))?;
    std::fs::write(path, drawn).map_err(|error| Failure::path("write", path, error))
}

impl Replay {
    fn load(registry: &Registry, arguments: &Arguments) -> Result<Self, Failure> {
        if arguments.case.ends_with(".toml") {
            return Replay::pinned(registry, arguments);
        }
        let help = "for example `fencepost replay quiet/none/0`";
        let address: Address = arguments.case.parse().map_err(|message: String| Failure::usage(message, help))?;
        let (cell, bugs) = (cell_of(registry, &address, &arguments.bugs.list())?, arguments.bugs.list());
        let command = replay_command(&address.scenario, &address.lock, address.seed, &flags(&bugs));
        Ok(Replay { cell, seed: address.seed, bugs, pin: None, command })
    }

    /// Loads the case that a reproducer pins.
    fn pinned(registry: &Registry, arguments: &Arguments) -> Result<Self, Failure> {
        let file = &arguments.case;
        let scenario = load_scenario(registry, file)?.scenario;
        let Some(pin) = scenario.case.clone() else {
            let message = format!("{file} is a scenario without `[case]`, so it does not pin a case");
            return Err(Failure::usage(message, format!("give lock and seed: `fencepost replay {file}/LOCK/SEED`")));
        };
        let mut bugs = pin.bugs.clone();
        bugs.extend(arguments.bugs.list().into_iter().filter(|bug| !pin.bugs.contains(bug)));
        check_bugs(registry, &bugs)?;
        let cell = cell(&scenario, lock_named(registry, &pin.lock)?, &bugs)?;
        let flags = flags(&arguments.bugs.list());
        let command = format!("{} {flags}", replay_file_command(file)).trim_end().to_owned();
        // Other bugs make a different case, so the pinned results do not apply.
        let pin = (bugs == pin.bugs).then_some(pin);
        let seed = scenario.case.as_ref().map_or(0, |pin| pin.seed);
        Ok(Replay { cell, seed, bugs, pin, command })
    }

    /// Returns the differences between this run and the pinned case.
    fn divergences(&self, report: &CaseReport) -> Vec<String> {
        let Some(pin) = &self.pin else { return Vec::new() };
        let mut found = Vec::new();
        let now = TraceHash(report.result.trace).to_string();
        if let Some(then) = &pin.trace {
            if pin.layout != LAYOUT {
                eprintln!(
                    "note: trace hashes not compared: the file has layout {}, this version has {LAYOUT}",
                    pin.layout
                );
            } else if *then != now {
                found.push(format!("the trace hash is {now}, but the file has {then}"));
            }
        }
        for (property, _) in pin.expect.iter().filter(|(_, expected)| **expected == Expectation::Violated) {
            let verdict = report.result.verdict(*property);
            if verdict != Verdict::Violated {
                let (name, verdict) = (property.name(), verdict.name());
                found.push(format!("{name} is {verdict}, but [case.expect] declares it violated"));
            }
        }
        found
    }

    /// Returns the violations that make the replay fail.
    fn failing_violations(&self, report: &CaseReport, fail_on: &FailOn) -> Vec<String> {
        let violated = report.result.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Violated);
        let name = self.cell.case_name(self.seed);
        let reasons = violated.filter_map(|(property, _)| Some((property, self.reason(*property, fail_on)?)));
        reasons.map(|(property, reason)| format!("{name}: {} is violated ({reason})", property.name())).collect()
    }

    /// Returns why a violation fails the replay, or `None` if it does not. `[case.expect]` overrides `[expect]`.
    fn reason(&self, property: Property, fail_on: &FailOn) -> Option<&'static str> {
        let expected = self.pin.as_ref().and_then(|pin| pin.expect.get(&property));
        match (fail_on.reason(&self.cell, property), expected) {
            (Some(EXPECTED), Some(Expectation::Violated)) => None,
            (None, Some(Expectation::Holds)) => Some("declared to hold by [case.expect]"),
            (reason, _) => reason,
        }
    }

    fn json(&self, record: &CaseRecord) -> Value {
        let mut value = explained_json(&self.cell, self.seed, record);
        value["schema_version"] = json!(1);
        value["bugs"] = json!(self.bugs);
        value
    }
}
