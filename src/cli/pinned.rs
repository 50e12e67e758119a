//! Loads a case by its address or from a reproducer.

use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;

use super::address::Address;
use super::bugs::flags;
use super::exit::Failure;
use super::selection::{cell, cell_of, check_bugs, load_scenario, lock_named};

/// A case, ready to run.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) cell: Cell,
    pub(super) seed: u64,
    pub(super) bugs: Vec<String>,
}

impl Pinned {
    /// Loads `SCENARIO/LOCK/SEED`, or the case of a reproducer.
    pub(super) fn load(registry: &Registry, case: &str, bugs: &[String]) -> Result<Self, Failure> {
        if case.ends_with(".toml") {
            return Pinned::in_file(registry, case, bugs);
        }
        let help = "for example `client-pauses/redlock/17`";
        let address: Address = case.parse().map_err(|message: String| Failure::usage(message, help))?;
        Ok(Pinned { cell: cell_of(registry, &address, bugs)?, seed: address.seed, bugs: bugs.to_vec() })
    }

    fn in_file(registry: &Registry, file: &str, more: &[String]) -> Result<Self, Failure> {
        let scenario = load_scenario(registry, file)?.scenario;
        let Some(pin) = &scenario.case else {
            let message = format!("{file} is a scenario without `[case]`, so it does not pin a case");
            return Err(Failure::usage(message, format!("give lock and seed: `{file}/LOCK/SEED`")));
        };
        let mut bugs = pin.bugs.clone();
        bugs.extend(more.iter().filter(|bug| !pin.bugs.contains(bug)).cloned());
        check_bugs(registry, &bugs)?;
        let cell = cell(&scenario, lock_named(registry, &pin.lock)?, &bugs)?;
        Ok(Pinned { seed: pin.seed, bugs, cell })
    }
}

/// Returns the command line that runs a verb on a case.
pub(super) fn command(verb: &str, what: &str, bugs: &[String]) -> String {
    format!("fencepost {verb} {what} {}", flags(bugs)).trim_end().to_owned()
}
