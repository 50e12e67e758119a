//! What a search says that found nothing: never more than it could judge.

use fencepost_scenarios::run::verdicts::Verdicts;

use super::exit::Failure;

/// `1 fault`, `2 faults`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// What was not judged, to be put behind a clean result.
pub(super) fn not_judged(verdicts: &Verdicts, run: &str) -> String {
    let unknown = verdicts.unknown();
    let unknown =
        unknown.map(|(what, runs)| format!("; {} could not be judged in {}", what.name(), counted(runs, run)));
    unknown.collect::<String>() + &not_applicable(verdicts)
}

fn not_applicable(verdicts: &Verdicts) -> String {
    let names: Vec<&str> = verdicts.not_applicable().map(|property| property.name()).collect();
    if names.is_empty() { String::new() } else { format!("; not applicable: {}", names.join(", ")) }
}

/// Nothing that was looked for has a meaning anywhere that it was looked for.
pub(super) fn nothing_applies() -> Failure {
    let help =
        "choose other properties with --fail-on, or other locks: `fencepost list properties` says what each means";
    Failure::nothing_selected("nothing to judge: what is looked for applies to none of these cases", help)
}
