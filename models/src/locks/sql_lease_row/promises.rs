//! ShedLock's promises and the flaws of its defaults.

use crate::info::{Answer, BugInfo, Promise, Requirement};

const README: &str = "lukas-krecan/ShedLock, README.md";

pub(super) const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "at most one at the same time, provided that the task takes less than lockAtMostFor and that \
                the clocks of the nodes are synchronized; beyond that more than one may hold the lock",
        source: "lukas-krecan/ShedLock, README.md, Behavior and JdbcTemplate",
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "always released after lockAtMostFor, even if the process died",
        source: "lukas-krecan/ShedLock, README.md, Behavior",
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Silent,
        says: "as available as the database is",
        source: README,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Silent,
        says: "acquiring again is not described; the statement changes no row while the lock lasts",
        source: README,
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Silent,
        says: "a row has no number that grows",
        source: README,
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::No,
        says: "others are not blocked but skipped",
        source: "lukas-krecan/ShedLock, README.md, Behavior",
    },
];

pub(super) const FLAWS: &[&str] = &[
    "the client's own clock decides when the lock is free and when it expires (clock = \"client\")",
    "a release compares the host's name and not the attempt: a late one frees a lock that the same host took again",
];

pub(super) const BLIND_UNLOCK: BugInfo = BugInfo {
    name: "shedlock-blind-unlock",
    about: "a release names the row and not its owner, so a late one frees the next holder's lock",
    scenario: "bug-shedlock-blind-unlock",
    property: "owner-release",
    source: "lukas-krecan/ShedLock, SqlStatementsSource.java, getUnlockStatement, commit d88fc4d4d of 22 October 2025 \
        (fix); JdbcLockProvider.java of commit 30dba0c9d of 19 December 2016 (first version)",
    since: "0.2.0",
    fixed_in: Some("7.0.0"),
    default_on: false,
};
