//! `fencepost run`: runs suites and scenarios over many seeds, and writes a report.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::value_parser;
use fencepost_reports::text::visible;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::results::{CellResult, RunResult};

use super::bugs::BugArguments;
use super::directory::Directory;
use super::exit::{Exit, Failure};
use super::interrupt::InterruptMessage;
use super::manifest::Manifest;
use super::plan::Plan;
use super::progress::Progress;
use super::recording::Recording;
use super::regressions::{self, Regression};
use super::report::{ReportPaths, write_report};
use super::reproducers;
use super::screen::{Format, print, print_json};
use super::seeds::{Seeds, Shard};
use super::summary;

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Suites and scenarios: shipped names or files; by default the suite `standard`
    #[arg(value_name = "SUITE|FILE.toml")]
    pub(super) what: Vec<String>,
    /// Run only these locks: names, classes such as @lease, and exclusions such as '!etcd'
    #[arg(long, value_name = "LOCK,..", value_delimiter = ',', env = "FENCEPOST_LOCK")]
    pub(super) lock: Vec<String>,
    /// The seeds of each cell, where N means 0..N; by default the suite's, or 200
    #[arg(long, value_name = "N|A..B", env = "FENCEPOST_SEEDS")]
    pub(super) seeds: Option<Seeds>,
    /// The number of threads; by default one for each core
    #[arg(long, value_parser = value_parser!(u16).range(1..), env = "FENCEPOST_JOBS")]
    pub(super) jobs: Option<u16>,
    /// The directory to write to; by default a new one under fencepost-out
    #[arg(long, value_name = "DIR", env = "FENCEPOST_OUT")]
    pub(super) out: Option<PathBuf>,
    /// The format of stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    pub(super) format: Format,
    /// Exit with 100 if one of these properties is violated, or `any`
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    pub(super) fail_on: Vec<String>,
    /// Run only part i of n of the seeds, counted from 1
    #[arg(long, value_name = "i/n", env = "FENCEPOST_SHARD")]
    pub(super) shard: Option<Shard>,
    /// Continue the interrupted run in --out
    #[arg(long, requires = "out", value_parser = FalseyValueParser::new(), env = "FENCEPOST_RESUME")]
    pub(super) resume: bool,
    #[command(flatten)]
    pub(super) bugs: BugArguments,
    /// Stop a cell when the intervals of all its properties are narrower than this
    #[arg(long, value_name = "W", value_parser = width, env = "FENCEPOST_UNTIL_INTERVAL",
          conflicts_with = "until_violation")]
    pub(super) until_interval: Option<f64>,
    /// Stop a cell at its first violation of a property in --fail-on, or of any property
    #[arg(long, value_parser = FalseyValueParser::new(), env = "FENCEPOST_UNTIL_VIOLATION")]
    pub(super) until_violation: bool,
    /// Do not shrink failures, and do not save regressions
    #[arg(long, value_parser = FalseyValueParser::new(), env = "FENCEPOST_NO_SHRINK")]
    pub(super) no_shrink: bool,
}

fn width(text: &str) -> Result<f64, String> {
    let width = text.parse::<f64>().ok().filter(|width| *width > 0.0 && *width <= 1.0);
    width.ok_or_else(|| "write a width between 0 and 1, for example `0.02`".into())
}

/// Runs `run`.
pub(super) fn run(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let plan = Plan::new(registry, arguments)?;
    summary::print_notes(&plan);
    let clock = WallClock::start();
    let (directory, earlier) = open(arguments, &clock)?;
    let mut manifest = plan.manifest();
    manifest.started = clock.started();
    if let Some(earlier) = &earlier {
        reject_changed_inputs(earlier, &manifest)?;
        manifest.started.clone_from(&earlier.started);
    }
    manifest.write(directory.path())?;
    let shown = visible(&directory.path().display().to_string());
    InterruptMessage::install()
        .set("", format!("interrupted; to continue: {} --out {shown} --resume", manifest.command));
    let regressions = regressions::run_first(registry, &plan, directory.path())?;
    let results = execute(&plan, &directory, earlier.is_some())?;
    let shrunk = if arguments.no_shrink { None } else { shrink(registry, &plan, &regressions, &results, &directory) };
    manifest.duration_s = Some(clock.seconds() + earlier.and_then(|earlier| earlier.duration_s).unwrap_or(0.0));
    let exit = present(registry, &plan, arguments.format, &directory, &manifest, results)?;
    if let Some((reproducers, saved)) = shrunk.filter(|(reproducers, _)| *reproducers > 0) {
        eprintln!("reproducers: {reproducers} written, {saved} of them new in fencepost-regressions");
    }
    Ok(if regressions::print_failures(&plan, &regressions) { Exit::Violated } else { exit })
}

/// Shrinks the first failure of each failing cell. Returns the numbers of reproducers and of new regressions. A failed write
/// is only a warning, because the run itself is done.
fn shrink(
    registry: &Registry,
    plan: &Plan,
    regressions: &[Regression],
    results: &[CellResult],
    directory: &Directory,
) -> Option<(usize, usize)> {
    let warned = |failure: Failure| failure.warn("the results of the run are not affected");
    let found = reproducers::write(registry, plan, results, directory.path()).map_err(warned).ok()?;
    let saved = regressions::save_new(plan, regressions, &found, directory.path()).map_err(warned).unwrap_or_default();
    Some((found.len(), saved))
}

fn open(arguments: &Arguments, clock: &WallClock) -> Result<(Directory, Option<Manifest>), Failure> {
    match &arguments.out {
        None => Ok((Directory::for_run_id(&clock.run_id())?, None)),
        Some(out) if arguments.resume => Directory::to_resume(out),
        Some(out) => Ok((Directory::new(out)?, None)),
    }
}

fn reject_changed_inputs(earlier: &Manifest, now: &Manifest) -> Result<(), Failure> {
    earlier.difference(now, true).map_or(Ok(()), |input| {
        let message = format!("the run in this directory has different inputs: `{input}` in its run.json differs");
        Err(Failure::usage(message, format!("repeat `{}`, or choose another directory", earlier.command)))
    })
}

fn execute(plan: &Plan, directory: &Directory, resume: bool) -> Result<Vec<CellResult>, Failure> {
    let mut recording = Recording::new(plan);
    let mut from = 0;
    if resume && directory.results_path().exists() {
        from = recording.resume(plan, &mut directory.read_results()?)?;
    }
    let job = plan.job(recording.done());
    let cases_per_cell = job.cases_per_cell();
    let done = recording.done().iter().map(|cases| (*cases).min(cases_per_cell)).sum();
    let mut progress = Progress::new(plan, cases_per_cell, done);
    let out = std::io::BufWriter::new(directory.write_results(from)?);
    let on_case = |cell, result: &_, ended| progress.case_done(cell, result, ended);
    let ran = recording.run(&job, out, on_case, |scenario, lock, seed| plan.reproduce(scenario, lock, seed));
    progress.finish();
    ran.map(|()| recording.into_results())
}

/// Writes the report, prints the results, and returns the exit code.
fn present(
    registry: &Registry,
    plan: &Plan,
    format: Format,
    directory: &Directory,
    manifest: &Manifest,
    results: Vec<CellResult>,
) -> Result<Exit, Failure> {
    let failing = plan.fail_on.failing_violations(&plan.cells, &results);
    summary::warn_about_idle_faults(&plan.cells, &results);
    let headers = plan.cells.iter().map(|cell| cell.header.clone());
    let until = manifest.until.clone();
    let result = RunResult { suite: plan.selection.name.clone(), cells: headers.zip(results).collect(), until };
    if let Some(rule) = &result.until {
        eprintln!("note: cells stopped early because of {rule}: their rates are biased");
    }
    let report = write_report(registry, manifest, &result.cells, Vec::new(), &ReportPaths::within(directory.path()))?;
    manifest.write(directory.path())?;
    if format == Format::Human {
        print(&summary::tables(&result))?;
        print(&summary::first_violations(plan, &result, &failing))?;
    } else {
        print_json(&result)?;
    }
    summary::print_failures(plan, &failing);
    match format {
        Format::Human => print(&format!("{}report: {}\n", summary::effort(&result), report.display()))?,
        Format::Json => eprintln!("report: {}", report.display()),
    }
    Ok(if failing.is_empty() { Exit::Done } else { Exit::Violated })
}

/// The machine's clock, used only for run.json and directory names.
struct WallClock {
    #[expect(clippy::disallowed_types, reason = "run.json records when a run started")]
    started: std::time::SystemTime,
    since: std::time::Instant,
}

impl WallClock {
    #[expect(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "run.json records when a run started and how long it took"
    )]
    fn start() -> Self {
        WallClock { started: std::time::SystemTime::now(), since: std::time::Instant::now() }
    }

    fn started(&self) -> String {
        humantime::format_rfc3339_seconds(self.started).to_string()
    }

    fn seconds(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }

    /// Returns an identifier that sorts by time. The process id distinguishes runs started in the same second.
    fn run_id(&self) -> String {
        format!("{}-{}", self.started().replace(':', "").trim_end_matches('Z'), std::process::id())
    }
}
