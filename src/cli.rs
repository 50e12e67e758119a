//! The command line: one file for each verb, and the modules that verbs share.

/// Prints to stderr like `std::eprintln`, but does not panic if stderr is a closed pipe.
macro_rules! eprintln {
    ($($argument:tt)*) => { $crate::cli::screen::print_stderr(format_args!($($argument)*)) };
}

mod address;
mod bugs;
mod check;
mod compare;
mod completions;
mod counterexamples;
mod directory;
mod exit;
mod explore;
mod fail_on;
mod files;
mod hash_cases;
mod hunt;
mod inconclusive;
mod interrupt;
mod list;
mod manifest;
mod merge;
mod new;
mod pinned;
mod plan;
mod progress;
mod recording;
mod regressions;
mod replay;
mod report;
mod reproducers;
mod run;
mod schema;
mod screen;
mod seeds;
mod selection;
mod shrink;
mod stop;
mod summary;
mod traced;
mod verify;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fencepost_scenarios::registry::Registry;

use self::exit::{Exit, Failure};

/// Runs distributed locks in a simulated world with faults, and checks their guarantees.
#[derive(Parser)]
#[command(name = "fencepost", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 100 a property is violated that --fail-on names or [expect] declares to hold; 2 usage or bad input; \
4 nothing selected, nothing to shrink, or no property applicable; 5 replay or verify diverged; 1 internal error.";

#[derive(Subcommand)]
enum Verb {
    /// Run suites and scenarios over many seeds, and write a report
    Run(run::Arguments),
    /// Run one case and print its log
    Replay(replay::Arguments),
    /// Reduce a case that violates a property to a minimal reproducer
    Shrink(shrink::Arguments),
    /// Try every placement of a few faults in a small scenario
    Explore(explore::Arguments),
    /// Search for a violation as fast as possible
    Hunt(hunt::Arguments),
    /// Check that cases produce the same trace hashes in two fresh processes
    Verify(verify::Arguments),
    /// Write a run's report from its results
    Report(report::Arguments),
    /// Compare two runs: better, worse, newly violated
    Compare(compare::Arguments),
    /// Merge the shards of a run
    Merge(merge::Arguments),
    /// Check the history of any system against the specification of a lock
    Check(check::Arguments),
    /// List locks, classes of locks, scenarios, suites, faults, workloads, properties or bugs
    List(list::Arguments),
    /// Print the JSON Schema of scenario files, for editors
    Schema(schema::Arguments),
    /// Print shell completions
    Completions(completions::Arguments),
    /// Write a commented example scenario and suite
    New(new::Arguments),
    /// Used by `verify` in its child processes
    #[command(hide = true)]
    HashCases(hash_cases::Arguments),
}

/// Runs the command line with the locks, faults and workloads of `registry`. To add a lock, call
/// `fencepost::main(Registry::standard().with::<MyLock>())` from your `main`.
pub fn main(registry: Registry) -> ExitCode {
    run_arguments(&registry, std::env::args_os()).into()
}

fn run_arguments(registry: &Registry, arguments: impl Iterator<Item = OsString>) -> Exit {
    let verb = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line.verb,
        Err(error) => {
            // A failure to print cannot be reported either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let result = catch_unwind(AssertUnwindSafe(|| dispatch(registry, &verb)));
    match result {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => failure.report(),
        Err(_panic) => Exit::Internal,
    }
}

fn dispatch(registry: &Registry, verb: &Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Run(arguments) => run::run(registry, arguments),
        Verb::Replay(arguments) => replay::replay(registry, arguments),
        Verb::Shrink(arguments) => shrink::shrink(registry, arguments),
        Verb::Explore(arguments) => explore::explore(registry, arguments),
        Verb::Hunt(arguments) => hunt::hunt(registry, arguments),
        Verb::Verify(arguments) => verify::verify(registry, arguments),
        Verb::Report(arguments) => report::report(registry, arguments),
        Verb::Compare(arguments) => compare::compare(registry, arguments),
        Verb::Merge(arguments) => merge::merge(registry, arguments),
        Verb::Check(arguments) => check::check(arguments),
        Verb::List(arguments) => list::list(registry, arguments),
        Verb::Schema(arguments) => schema::schema(registry, arguments),
        Verb::Completions(arguments) => completions::completions(arguments),
        Verb::New(arguments) => new::new(arguments),
        Verb::HashCases(arguments) => hash_cases::hash_cases(registry, arguments),
    }
}
