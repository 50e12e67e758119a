//! run.json: the inputs of a run, for resuming, merging and reporting. No other output contains wall time.

use std::path::Path;

use fencepost_reports::text::replay_command;
use fencepost_scenarios::file::Scenario;
use serde::{Deserialize, Serialize};

use super::bugs::flags;
use super::exit::Failure;
use super::files::{read_json, write_json};
use super::seeds::{Seeds, Shard};

/// The schema version of run.json.
pub(super) const VERSION: u32 = 1;
/// The name of the file.
const FILE: &str = "run.json";

/// The content of run.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    /// The command that reproduces the results.
    pub(super) command: String,
    pub(super) version: String,
    pub(super) layout: u32,
    pub(super) suite: String,
    pub(super) seeds: Seeds,
    pub(super) shard: Option<Shard>,
    pub(super) bugs: Vec<String>,
    pub(super) locks: Vec<String>,
    pub(super) scenarios: Vec<ScenarioInput>,
    /// The number of cells, including cells that are not applicable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cells: Option<usize>,
    /// The rule that stops cells early.
    pub(super) until: Option<String>,
    /// When the run started, by the machine's clock.
    pub(super) started: String,
    /// The duration of the run in seconds; `None` until it is done.
    pub(super) duration_s: Option<f64>,
}

/// A scenario of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ScenarioInput {
    pub(super) name: String,
    /// The path of the file; `None` if the scenario is shipped.
    pub(super) path: Option<String>,
    /// The hash of the file's text.
    pub(super) source: String,
}

impl ScenarioInput {
    pub(super) fn new(scenario: &Scenario, path: Option<String>) -> Self {
        let hash = xxhash_rust::xxh3::xxh3_128(scenario.source.as_bytes());
        ScenarioInput { name: scenario.name.clone(), path, source: format!("xxh3:{hash:032x}") }
    }
}

impl Manifest {
    /// Returns the number of cases of each applicable cell after the run, unless it stops early.
    pub(super) fn expected_cases_per_cell(&self) -> u64 {
        let (number, of) = self.shard.map_or((1, 1), |shard| (shard.number, shard.of));
        self.seeds.count().saturating_sub(number - 1).div_ceil(of)
    }

    pub(super) fn read(dir: &Path) -> Result<Self, Failure> {
        read_json(&dir.join(FILE))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), Failure> {
        write_json(&dir.join(FILE), self)
    }

    /// Returns the first input that differs between two runs. Times are ignored, and so are shards unless `shards_matter`.
    pub(super) fn difference(&self, other: &Manifest, shards_matter: bool) -> Option<&'static str> {
        let sources = |manifest: &Manifest| -> Vec<(String, String)> {
            manifest.scenarios.iter().map(|input| (input.name.clone(), input.source.clone())).collect()
        };
        let checks = [
            ("schema_version", self.schema_version == other.schema_version),
            ("version", self.version == other.version),
            ("layout", self.layout == other.layout),
            ("suite", self.suite == other.suite),
            ("seeds", self.seeds == other.seeds),
            ("shard", !shards_matter || self.shard == other.shard),
            ("bugs", self.bugs == other.bugs),
            ("locks", self.locks == other.locks),
            ("scenarios", sources(self) == sources(other)),
            ("until", self.until == other.until),
        ];
        checks.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }

    /// Returns the command that replays a case.
    pub(super) fn replay(&self, scenario: &str, lock: &str, seed: u64) -> String {
        let path = self.scenarios.iter().find(|input| input.name == scenario).and_then(|input| input.path.as_deref());
        replay_command(path.unwrap_or(scenario), lock, seed, &self.replay_flags())
    }

    /// Returns the flags that a replay needs.
    pub(super) fn replay_flags(&self) -> String {
        flags(&self.bugs)
    }
}
