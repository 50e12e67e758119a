//! `fencepost schema`: prints the JSON Schema of scenario or suite files.

use clap::builder::FalseyValueParser;
use fencepost_scenarios::file::schema as schemas;
use fencepost_scenarios::registry::Registry;

use super::exit::{Exit, Failure};
use super::screen::print;

/// The arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the schema of suite files instead
    #[arg(long, value_parser = FalseyValueParser::new(), env = "FENCEPOST_SUITE")]
    suite: bool,
}

/// Runs `schema`.
pub(super) fn schema(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let schema = if arguments.suite { schemas::suite(registry) } else { schemas::scenario(registry) };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::internal(error.to_string()))?;
    print(&(text + "\n"))?;
    Ok(Exit::Done)
}
