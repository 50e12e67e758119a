//! Suites: sets of scenarios.

use fencepost_sim::stream::SEED_LIMIT;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;

use super::catalog::Catalog;
use super::lock_list::{self, maybe_words};
use super::problem::Report;
use super::scenario::file_name;
use super::table::Table;
use super::values::{maybe_name, maybe_whole};
use super::words::quoted;

/// A set of scenarios to run together.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// The name; by default the file's name.
    pub name: String,
    /// The purpose.
    pub about: String,
    /// The number of seeds per cell, unless the command line overrides it.
    pub seeds: Option<u64>,
    /// The scenarios: shipped names, or paths that end in `.toml`.
    pub scenarios: Vec<String>,
    /// The locks; `None` means all.
    pub locks: Option<Vec<String>>,
}

/// A set of scenarios to run together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuiteKeys {
    /// The name; by default the file's name.
    #[serde(default, deserialize_with = "maybe_name")]
    name: Option<String>,
    /// The purpose.
    #[serde(default)]
    about: String,
    /// The number of seeds per cell, unless the command line overrides it.
    #[serde(default, deserialize_with = "maybe_whole::<_, _, 1, { SEED_LIMIT }>")]
    #[schemars(range(min = 1))]
    seeds: Option<u64>,
    /// The scenarios: shipped names, or paths that end in `.toml`.
    #[serde(deserialize_with = "names")]
    #[schemars(with = "Vec<String>")]
    scenarios: Vec<Spanned<String>>,
    /// The locks to run: names, classes such as `@lease`, and exclusions such as `!etcd`. The default is all.
    #[serde(default, deserialize_with = "maybe_words")]
    #[schemars(with = "Option<Vec<String>>")]
    locks: Option<Vec<Spanned<String>>>,
}

/// Reads the names of a suite's scenarios.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Spanned<String>>, D::Error> {
    let names = Vec::deserialize(deserializer)?;
    if names.is_empty() {
        let message = "this suite has no scenarios: name some that `fencepost list scenarios` lists, or files";
        return Err(D::Error::custom(message));
    }
    Ok(names)
}

/// Reads a suite.
pub(super) fn suite(catalog: &Catalog, report: &mut Report, file: &str, root: Table<'_>) -> Option<Suite> {
    let keys = root.read_keys::<SuiteKeys>(report, &[])?;
    let mut names: Vec<String> = Vec::new();
    for name in keys.scenarios {
        let (span, name) = (name.span(), name.into_inner());
        if name.trim().is_empty() {
            report.add(span, "the name of a scenario is empty", "write a shipped name, or a path that ends in `.toml`");
        } else if names.contains(&name) {
            report.add(span, format!("{} is in this suite twice", quoted(&name)), "remove one");
        } else {
            names.push(name);
        }
    }
    Some(Suite {
        name: keys.name.unwrap_or_else(|| file_name(file)),
        about: keys.about,
        seeds: keys.seeds,
        scenarios: names,
        locks: keys.locks.map(|locks| lock_list::selection(catalog, report, locks)),
    })
}
