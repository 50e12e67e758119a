//! `fencepost new`: writes a commented example scenario and suite.

use std::fs;
use std::path::PathBuf;

use super::directory::Directory;
use super::exit::{Exit, Failure};
use super::screen::print;

/// The arguments of `new`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory to create
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

const SCENARIO: &str = include_str!("new/my-scenario.toml");
const SUITE: &str = include_str!("new/my-suite.toml");

/// Runs `new`.
pub(super) fn new(arguments: &Arguments) -> Result<Exit, Failure> {
    let directory = Directory::new(&arguments.dir)?;
    for (name, text) in [("my-scenario.toml", SCENARIO), ("my-suite.toml", SUITE)] {
        let path = directory.path().join(name);
        fs::write(&path, text).map_err(|error| Failure::path("write", &path, error))?;
    }
    let dir = arguments.dir.display();
    print(&format!(
        "wrote {dir}/my-scenario.toml and {dir}/my-suite.toml\n\
         next: fencepost run {dir}/my-scenario.toml\n\
         then: fencepost run {dir}/my-suite.toml --lock redis-set-px,redlock\n\
         for completion in your editor: fencepost schema > {dir}/scenario.schema.json\n"
    ))?;
    Ok(Exit::Done)
}
