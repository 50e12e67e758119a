//! Messages on what a search without violations could not check.

use fencepost_reports::text::counted;
use fencepost_scenarios::run::verdicts::Verdicts;

use super::exit::Failure;

/// Returns the properties that were unknown or not applicable, as a suffix of a result without violations.
pub(super) fn inconclusive(verdicts: &Verdicts, run: &str) -> String {
    let unknown = verdicts.unknown();
    let unknown = unknown.map(|(property, runs)| format!("; {} is unknown in {}", property.name(), counted(runs, run)));
    unknown.collect::<String>() + &not_applicable(verdicts)
}

fn not_applicable(verdicts: &Verdicts) -> String {
    let names: Vec<&str> = verdicts.not_applicable().map(|property| property.name()).collect();
    if names.is_empty() { String::new() } else { format!("; not applicable: {}", names.join(", ")) }
}

/// Returns the failure of a search whose properties are not applicable in any of its cells.
pub(super) fn nothing_applies() -> Failure {
    let help = "choose other properties with --fail-on, or other locks; see `fencepost list properties`";
    Failure::nothing_selected("nothing to check: none of the properties is applicable to any of these cases", help)
}
