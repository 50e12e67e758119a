//! The texts of shipped scenarios.

use fencepost_scenarios::file::shipped;

/// Returns the text of a shipped scenario.
///
/// # Panics
/// If no shipped scenario has this name.
pub fn shipped(name: &str) -> String {
    shipped::scenario(name).unwrap_or_else(|| panic!("no scenario {name} is shipped")).into()
}

/// Returns a shipped scenario with these replacements, and without its expectations, which may no longer be true.
///
/// # Panics
/// If a text to replace is not in the scenario.
pub fn altered(name: &str, changes: &[(&str, &str)]) -> String {
    let text = shipped(name);
    let mut text = text.split("\n[expect]").next().unwrap_or_default().to_string();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} does not contain {from}");
        text = text.replace(from, to);
    }
    text
}
