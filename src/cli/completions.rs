//! `fencepost completions`: what a shell needs to complete commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use super::CommandLine;
use super::exit::{Exit, Failure};
use super::screen::print;

/// What `completions` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints them.
pub(super) fn completions(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "fencepost", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
