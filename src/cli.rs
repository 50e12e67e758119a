//! The command line: one file for each verb, and around them what verbs share.

/// As the macro of this name, except that a reader of stderr who has seen enough, such as `head`, is no reason to panic.
macro_rules! eprintln {
    ($($argument:tt)*) => { $crate::cli::screen::tell(format_args!($($argument)*)) };
}

mod address;
mod check;
mod clean;
mod compare;
mod completions;
mod directory;
mod exit;
mod explore;
mod fail_on;
mod hash_cases;
mod hunt;
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
mod stories;

mod summary;
mod traced;
mod verify;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fencepost_scenarios::registry::Registry;

use self::exit::{Exit, Failure};

/// Shows how distributed locks really behave: runs them in a simulated world with faults, and judges what happened.
#[derive(Parser)]
#[command(name = "fencepost", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 100 a property was violated that --fail-on names or [expect] says holds; 2 usage or bad input; \
4 nothing selected, or nothing to shrink or judge; 5 replay or verify diverged; 1 internal error.";

#[derive(Subcommand)]
enum Verb {
    /// Run suites and scenarios over many seeds, and report what the locks did
    Run(run::Arguments),
    /// Run one case again and say what happened in it
    Replay(replay::Arguments),
    /// Make a case that violates a property as small as it gets
    Shrink(shrink::Arguments),
    /// Try every placement of a few faults in a small scenario
    Explore(explore::Arguments),
    /// Look for one violation as fast as can be
    Hunt(hunt::Arguments),
    /// Check that cases come out the same in two fresh processes
    Verify(verify::Arguments),
    /// Write the report of a run again, from its results
    Report(report::Arguments),
    /// Set two runs side by side: better, worse, newly violated
    Compare(compare::Arguments),
    /// Join the shards of a run
    Merge(merge::Arguments),
    /// Check a history from any system: is there an order of its operations that a lock allows?
    Check(check::Arguments),
    /// List what there is to choose from
    List(list::Arguments),
    /// Print the JSON Schema of scenario files, for editors
    Schema(schema::Arguments),
    /// Print a shell's completions
    Completions(completions::Arguments),
    /// Write a scenario and a suite to begin with
    New(new::Arguments),
    /// What `verify` runs in its processes
    #[command(hide = true)]
    HashCases(hash_cases::Arguments),
}

/// The whole command line, for the locks, faults and workloads of this registry. With a lock of your own, your `main`
/// is `fencepost::main(Registry::standard().with::<MyLock>())`.
pub fn main(registry: Registry) -> ExitCode {
    run_arguments(&registry, std::env::args_os()).into()
}

fn run_arguments(registry: &Registry, arguments: impl Iterator<Item = OsString>) -> Exit {
    let verb = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line.verb,
        Err(error) => {
            // Nobody is left to tell if even this cannot be printed.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let done = catch_unwind(AssertUnwindSafe(|| dispatch(registry, &verb)));
    match done {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => failure.tell(),
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
