//! What Hazelcast's documentation says of `FencedLock`.

use crate::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};

/// The switch for a cluster without CP members.
pub(super) const NO_CP: &str = "hazelcast-no-cp";

pub(super) const INFO: LockInfo = LockInfo::new(
    "hazelcast",
    "Hazelcast's FencedLock in a CP group of Raft members, with sessions",
)
.expectations(include_str!("expectations.toml"))
.family(Family::Consensus)
.expiry(Expiry::ServerWallClock)
.replicated()
.token("the fence: the Raft log index of the granted request")
.reentrancy(Reentrancy::Counted)
.promises(PROMISES)
.flawed_defaults(&[
    "members keep nothing on disk: a restarted one is not part of its group, and without a majority the group is lost \
        until somebody resets it",
    "sessions expire by the leader's wall clock, so a step of it by the time to live closes them all",
])
.bugs(&[BugInfo {
    name: NO_CP,
    about: "runs without CP members, which is the default: locks live on a partition with one backup, and each side \
        of a split cluster continues with its own copy",
    scenario: "bug-hazelcast-no-cp",
    property: "grant-exclusion",
    source: "docs.hazelcast.com, IMDG, CP Subsystem Unsafe Mode",
    since: "unverified",
    fixed_in: None,
    default_on: false,
}])
.verification(Verification::Documentation)
.sources(&[
    "docs.hazelcast.com, Data Structures, FencedLock",
    "docs.hazelcast.com, IMDG, CP Subsystem: Configuration; Fault Tolerance Capabilities; Unsafe Mode",
    "hazelcast/hazelcast, com.hazelcast.config.cp.CPSubsystemConfig and RaftAlgorithmConfig",
    "hazelcast/hazelcast, com.hazelcast.cp.internal.datastructures.lock.Lock, \
         com.hazelcast.cp.internal.session.RaftSessionService and AbstractProxySessionManager",
]);

const FENCED_LOCK: &str = "docs.hazelcast.com, Data Structures, FencedLock; com.hazelcast.cp.lock.FencedLock, javadoc";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "one thread in the whole cluster, with CP members; yet no lock service can promise that in an \
            asynchronous network: a holder that was paused past its session does not notice, so fences must be used",
        source: FENCED_LOCK,
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "the session of a holder without a heartbeat for its time to live is closed, and its locks released",
        source: "docs.hazelcast.com, IMDG, CP Subsystem Configuration, session-time-to-live-seconds",
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Conditional,
        says: "as long as a majority of the group's members is up; consistency comes before availability",
        source: "docs.hazelcast.com, IMDG, CP Subsystem; Fault Tolerance Capabilities",
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Yes,
        says: "a holder may acquire again, without limit unless one is configured, and gets the same fence",
        source: FENCED_LOCK,
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Yes,
        says: "the fence grows each time the lock goes from free to held",
        source: FENCED_LOCK,
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::No,
        says: "does not support fairness (although its code serves waiters in the order of the log)",
        source: FENCED_LOCK,
    },
];
