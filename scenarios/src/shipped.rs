//! The suites and scenarios that come with fencepost, as text. Adding one is a new file in `suites/` and one line here.

/// The suites: name and text.
pub const SUITES: &[(&str, &str)] = &[("standard", include_str!("../suites/standard.toml"))];

/// The scenarios: name and text.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("quiet", include_str!("../suites/standard/quiet.toml")),
    ("client-pauses", include_str!("../suites/standard/client-pauses.toml")),
];

/// The text of the shipped suite of this name.
pub fn suite(name: &str) -> Option<&'static str> {
    text_of(SUITES, name)
}

/// The text of the shipped scenario of this name.
pub fn scenario(name: &str) -> Option<&'static str> {
    text_of(SCENARIOS, name)
}

fn text_of(files: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;
    use crate::registry::Registry;

    fn file_of(name: &str) -> String {
        format!("{name}.toml")
    }

    #[test]
    fn every_suite_parses_and_names_only_what_is_shipped() {
        for (name, text) in SUITES {
            let suite = file::suite(&Registry::standard(), &file_of(name), text);
            let suite = suite.unwrap_or_else(|problems| panic!("{problems:#?}"));
            assert_eq!(suite.name, *name, "a suite goes by the name that it is listed under");
            for listed in &suite.scenarios {
                assert!(scenario(listed).is_some(), "{name} lists {listed}, which is not shipped");
            }
        }
    }

    #[test]
    fn every_scenario_parses_and_has_its_own_name() {
        for (name, text) in SCENARIOS {
            let scenario = file::scenario(&Registry::standard(), &file_of(name), text);
            let scenario = scenario.unwrap_or_else(|problems| panic!("{problems:#?}"));
            assert_eq!(scenario.name, *name, "a scenario goes by the name that it is listed under");
            assert_eq!(SCENARIOS.iter().filter(|(other, _)| other == name).count(), 1, "{name} is listed twice");
        }
    }
}
