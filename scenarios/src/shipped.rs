//! The suites and scenarios that come with fencepost, as text. Adding one is a new file in `suites/` and one line here.

/// The suites: name and text.
pub const SUITES: &[(&str, &str)] = &[("standard", include_str!("../suites/standard.toml"))];

/// The scenarios: name and text.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("quiet", include_str!("../suites/scenarios/quiet.toml")),
    ("client-pauses", include_str!("../suites/scenarios/client-pauses.toml")),
    ("client-pauses-decrement", include_str!("../suites/scenarios/client-pauses-decrement.toml")),
    ("client-pauses-checked", include_str!("../suites/scenarios/client-pauses-checked.toml")),
    ("pause-after-check", include_str!("../suites/scenarios/pause-after-check.toml")),
    ("client-vm-pauses", include_str!("../suites/scenarios/client-vm-pauses.toml")),
    ("client-vm-pauses-decrement", include_str!("../suites/scenarios/client-vm-pauses-decrement.toml")),
    ("client-crashes", include_str!("../suites/scenarios/client-crashes.toml")),
    ("client-host-crashes", include_str!("../suites/scenarios/client-host-crashes.toml")),
    ("crash-takeover", include_str!("../suites/scenarios/crash-takeover.toml")),
    ("server-restarts", include_str!("../suites/scenarios/server-restarts.toml")),
    ("server-restarts-decrement", include_str!("../suites/scenarios/server-restarts-decrement.toml")),
    ("server-restarts-durable", include_str!("../suites/scenarios/server-restarts-durable.toml")),
    ("servers-wiped", include_str!("../suites/scenarios/servers-wiped.toml")),
    ("store-crashes", include_str!("../suites/scenarios/store-crashes.toml")),
    ("clock-steps-forward", include_str!("../suites/scenarios/clock-steps-forward.toml")),
    ("clock-steps-forward-decrement", include_str!("../suites/scenarios/clock-steps-forward-decrement.toml")),
    ("clock-steps-back", include_str!("../suites/scenarios/clock-steps-back.toml")),
    ("clock-clients-slow", include_str!("../suites/scenarios/clock-clients-slow.toml")),
    ("clock-servers-fast", include_str!("../suites/scenarios/clock-servers-fast.toml")),
    ("clock-servers-fast-decrement", include_str!("../suites/scenarios/clock-servers-fast-decrement.toml")),
    ("clock-safe-side", include_str!("../suites/scenarios/clock-safe-side.toml")),
    ("partition-isolate", include_str!("../suites/scenarios/partition-isolate.toml")),
    ("partition-minority", include_str!("../suites/scenarios/partition-minority.toml")),
    ("partition-clients-from-lock", include_str!("../suites/scenarios/partition-clients-from-lock.toml")),
    ("partition-clients-from-store", include_str!("../suites/scenarios/partition-clients-from-store.toml")),
    (
        "partition-clients-from-store-decrement",
        include_str!("../suites/scenarios/partition-clients-from-store-decrement.toml"),
    ),
    ("partition-one-way", include_str!("../suites/scenarios/partition-one-way.toml")),
    ("leader-crashes", include_str!("../suites/scenarios/leader-crashes.toml")),
    ("leader-pauses", include_str!("../suites/scenarios/leader-pauses.toml")),
    ("leader-held", include_str!("../suites/scenarios/leader-held.toml")),
    ("minority-crashes", include_str!("../suites/scenarios/minority-crashes.toml")),
    ("majority-crashes", include_str!("../suites/scenarios/majority-crashes.toml")),
    ("store-slow", include_str!("../suites/scenarios/store-slow.toml")),
    ("store-slow-decrement", include_str!("../suites/scenarios/store-slow-decrement.toml")),
    ("packet-loss", include_str!("../suites/scenarios/packet-loss.toml")),
    ("packet-loss-decrement", include_str!("../suites/scenarios/packet-loss-decrement.toml")),
    ("store-hold", include_str!("../suites/scenarios/store-hold.toml")),
    ("store-hold-decrement", include_str!("../suites/scenarios/store-hold-decrement.toml")),
    ("datagrams", include_str!("../suites/scenarios/datagrams.toml")),
    ("slow-work", include_str!("../suites/scenarios/slow-work.toml")),
    ("fence-writes", include_str!("../suites/scenarios/fence-writes.toml")),
    ("fence-reads", include_str!("../suites/scenarios/fence-reads.toml")),
    ("token-repeats", include_str!("../suites/scenarios/token-repeats.toml")),
    ("owner-txn", include_str!("../suites/scenarios/owner-txn.toml")),
    ("claim", include_str!("../suites/scenarios/claim.toml")),
    ("conditional", include_str!("../suites/scenarios/conditional.toml")),
    ("version", include_str!("../suites/scenarios/version.toml")),
    ("unknown-retry", include_str!("../suites/scenarios/unknown-retry.toml")),
    ("unknown-retry-with-id", include_str!("../suites/scenarios/unknown-retry-with-id.toml")),
    ("unknown-keep", include_str!("../suites/scenarios/unknown-keep.toml")),
    ("sql-unknown-retry", include_str!("../suites/scenarios/sql-unknown-retry.toml")),
    ("everything", include_str!("../suites/scenarios/everything.toml")),
    ("redlock-pause-between-reads", include_str!("../suites/scenarios/redlock-pause-between-reads.toml")),
    ("reentrancy", include_str!("../suites/scenarios/reentrancy.toml")),
    ("dose-025", include_str!("../suites/scenarios/dose-025.toml")),
    ("dose-050", include_str!("../suites/scenarios/dose-050.toml")),
    ("dose-090", include_str!("../suites/scenarios/dose-090.toml")),
    ("dose-110", include_str!("../suites/scenarios/dose-110.toml")),
    ("dose-150", include_str!("../suites/scenarios/dose-150.toml")),
    ("dose-300", include_str!("../suites/scenarios/dose-300.toml")),
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
