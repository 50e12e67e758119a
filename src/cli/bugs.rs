//! The flags `--bug` and `--fix`, which switch cited bugs on and off.

/// Bugs to switch on and off.
#[derive(Debug, clap::Args)]
pub(super) struct BugArguments {
    /// Enable these bugs of the locks, see `fencepost list bugs`
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', env = "FENCEPOST_BUG")]
    bug: Vec<String>,
    /// Disable these bugs, which the modelled versions have
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', env = "FENCEPOST_FIX")]
    fix: Vec<String>,
}

/// The mark of a disabled bug in lists and in `[case]`: `!NAME`.
const OFF: char = '!';

impl BugArguments {
    /// Returns the names of both flags in one list, where `!NAME` is a disabled bug.
    pub(super) fn list(&self) -> Vec<String> {
        self.bug.iter().cloned().chain(self.fix.iter().map(|bug| format!("{OFF}{bug}"))).collect()
    }
}

/// Returns the name of a bug without the mark.
pub(super) fn name(bug: &str) -> &str {
    bug.strip_prefix(OFF).unwrap_or(bug)
}

/// Returns the flags for a list of bugs, or an empty string if the list is empty.
pub(super) fn flags(bugs: &[String]) -> String {
    let (off, on): (Vec<&String>, Vec<&String>) = bugs.iter().partition(|bug| bug.starts_with(OFF));
    let flag = |flag: &str, bugs: Vec<&String>| {
        let names: Vec<&str> = bugs.into_iter().map(|bug| name(bug)).collect();
        (!names.is_empty()).then(|| format!("{flag} {}", names.join(",")))
    };
    [flag("--bug", on), flag("--fix", off)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
