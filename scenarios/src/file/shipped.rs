//! The suites and scenarios that ship with fencepost, as text. To add one, create a file in `suites/` and a line here.

/// Pairs each name with the text of its file.
macro_rules! texts {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!($folder, $name, ".toml")))),*]
    };
}

/// The suites: name and text.
pub const SUITES: &[(&str, &str)] = texts!(
    "../../suites/":
    "standard",
    "full",
    "efficiency",
    "correctness",
    "requirements",
    "oversell",
    "clocks",
    "partitions",
    "failover",
    "statements",
    "clean",
    "swarm",
    "smoke",
);

/// The scenarios: name and text.
pub const SCENARIOS: &[(&str, &str)] = texts!(
    "../../suites/scenarios/":
    "quiet",
    "client-pauses",
    "client-pauses-decrement",
    "client-pauses-checked",
    "pause-after-check",
    "client-vm-pauses",
    "client-vm-pauses-unchecked",
    "client-vm-pauses-decrement",
    "gc-old-heap",
    "vm-migrations",
    "client-crashes",
    "client-host-crashes",
    "crash-takeover",
    "server-restarts",
    "server-restarts-decrement",
    "server-restarts-durable",
    "servers-wiped",
    "store-crashes",
    "clock-steps-forward",
    "clock-steps-forward-decrement",
    "clock-steps-back",
    "clock-clients-slow",
    "clock-servers-fast",
    "clock-servers-fast-decrement",
    "clock-safe-side",
    "clock-strobes",
    "clock-strobes-clients",
    "ntp-steps",
    "partition-isolate",
    "partition-minority",
    "partition-clients-from-lock",
    "partition-clients-from-store",
    "partition-clients-from-store-decrement",
    "partition-one-way",
    "partition-ring",
    "partition-bridge",
    "failover-servers-only",
    "failover-clients-too",
    "leader-crashes",
    "leader-pauses",
    "leader-held",
    "disk-stalls",
    "disk-lies",
    "slow-servers",
    "slow-clients",
    "minority-crashes",
    "majority-crashes",
    "store-slow",
    "store-slow-decrement",
    "packet-loss",
    "packet-loss-decrement",
    "store-hold",
    "store-hold-fenced",
    "store-hold-decrement",
    "datagrams",
    "slow-work",
    "fence-writes",
    "fence-writes-checked",
    "fence-writes-vm",
    "fence-writes-vm-checked",
    "fence-reads",
    "fence-reads-checked",
    "fence-reads-vm",
    "fence-reads-vm-checked",
    "fence-reads-restarts",
    "fence-reads-servers-wiped",
    "fence-reads-store-wiped",
    "fence-reads-disks-lie",
    "token-repeats",
    "owner-txn",
    "claim",
    "claim-checked",
    "claim-vm",
    "claim-vm-checked",
    "claim-datagrams",
    "conditional",
    "conditional-store-wiped",
    "conditional-unknown-retry",
    "version",
    "unknown-retry",
    "unknown-retry-with-id",
    "unknown-keep",
    "sql-unknown-retry",
    "everything",
    "redlock-pause-between-reads",
    "redlock-vm-pause-between-reads",
    "exclusive",
    "avoids-deadlock",
    "highly-available",
    "reentrant",
    "compute-pauses",
    "notify-pauses",
    "dose-pauses",
    "file-pauses",
    "set-pauses",
    "transfer-pauses",
    "transfer-crashes",
    "transfer-opposite-order",
    "transfer-ordered",
    "dose-025",
    "dose-050",
    "dose-090",
    "dose-110",
    "dose-150",
    "dose-300",
    "contention-2",
    "contention-5",
    "contention-10",
    "contention-20",
    "swarm-inventory",
    "swarm-fenced",
    "swarm-jobs",
    "small-fenced",
    "small-conditional",
    "small-claim",
    "small-in-store",
);

/// The reproducers of the bugs that can be enabled: name and text.
pub const BUGS: &[(&str, &str)] = texts!(
    "../../suites/bugs/":
    "bug-curator-own-old-node",
    "bug-curator-release-forgets",
    "bug-dynamodb-unavailable-counts",
    "bug-etcd-stale-grant",
    "bug-etcd-stuck-leader",
    "bug-fence-not-durable",
    "bug-fence-refuses-equal",
    "bug-k8s-early-callback",
    "bug-k8s-own-duration",
    "bug-k8s-release-clears-another",
    "bug-pg-advisory-timeout-leaks",
    "bug-raft-stale-read",
    "bug-redisson-renewal-stops",
    "bug-redlock-expiry-before-retries",
    "bug-redlock-no-second-read",
    "bug-shedlock-blind-unlock",
);

/// The scenarios for `explore` and `hunt`: name and text.
pub const SEARCHES: &[(&str, &str)] = texts!(
    "../../suites/searches/":
    "explore-unguarded",
    "explore-fence-writes",
    "explore-fence-reads",
    "explore-messages",
    "hunt",
);

/// The list of the cells that must be clean; [`crate::run::clean`] reads it.
pub const MUST_BE_CLEAN: &str = include_str!("../../suites/must-be-clean.toml");

/// Returns the text of the shipped suite of this name.
pub fn suite(name: &str) -> Option<&'static str> {
    text_of(SUITES, name)
}

/// Returns the text of the shipped scenario or reproducer of this name.
pub fn scenario(name: &str) -> Option<&'static str> {
    [SCENARIOS, SEARCHES, BUGS].into_iter().find_map(|files| text_of(files, name))
}

fn text_of(files: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
