//! The texts of shipped scenarios.

use fencepost_scenarios::file::shipped;

/// The text of a shipped scenario.
///
/// # Panics
/// If there is none of this name.
pub fn shipped(name: &str) -> String {
    shipped::scenario(name).unwrap_or_else(|| panic!("no scenario {name} is shipped")).into()
}

/// A shipped scenario with some of its text replaced, and without its expectations, which may no longer be true.
///
/// # Panics
/// If the scenario does not contain a text to replace.
pub fn altered(name: &str, changes: &[(&str, &str)]) -> String {
    let text = shipped(name);
    let mut text = text.split("\n[expect]").next().unwrap_or_default().to_string();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} does not contain {from}");
        text = text.replace(from, to);
    }
    text
}
