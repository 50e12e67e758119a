//! `fencepost completions`: prints a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::CommandLine;
use super::exit::{Exit, Failure};
use super::screen::print;

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs `completions`.
pub(super) fn completions(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "fencepost", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
