//! What Hazelcast's documentation says of `FencedLock`.

use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};

const TOKEN: &str = "tryLockAndGetFence(): the fence, the log index of the granted request";
const CHECK: &str = "isLockedByCurrentThread(): asks the servers, after a comparison with the local session";
const TIMEOUT: &str = "tryLock(time, unit): the servers end the wait";
const VERIFICATION: Verification = Verification::Source { version: "Hazelcast 5.3", read: "2026-12-01" };

pub(super) const INFO: LockInfo = LockInfo::new(
    "hazelcast",
    "Hazelcast's FencedLock with the default settings: no CP members, a partition with one backup",
)
.renamed_note(
    "`hazelcast` is now FencedLock without CP members (\"unsafe mode\", the default); the CP group is `hazelcast-cp`",
)
.expectations(include_str!("expectations.toml"))
.family(Family::DataGrid)
.expiry(Expiry::ServerWallClock)
.replicated()
.token(TOKEN)
.check(CHECK)
.timeout(TIMEOUT)
.reentrancy(Reentrancy::Counted)
.promises(PROMISES)
.flawed_defaults(&[
    "without CP members (`cp-member-count` 0) each side of a split cluster continues with its own copy of the lock",
    "an answered acquire is lost if the primary stops before its backup has it",
    "each copy counts fences for itself, so two sides hand out the same ones",
    "sessions expire by the primary's wall clock, so a step of it by the time to live closes them all",
])
.verification(VERIFICATION)
.sources(&[
    "docs.hazelcast.com, Data Structures, FencedLock; CP Subsystem, Unsafe mode",
    "hazelcast/hazelcast, com.hazelcast.cp.internal.operation.unsafe: UnsafeRaftReplicateOp, AbstractUnsafeRaftOp",
    "hazelcast/hazelcast, com.hazelcast.cp.CPSubsystemStubImpl: from 5.5, getLock() of the community edition throws",
    "hazelcast/hazelcast, pull request 15184: the unsafe mode, from 4.0",
]);

pub(super) const CP_INFO: LockInfo = LockInfo::new(
    "hazelcast-cp",
    "Hazelcast's FencedLock in a CP group of Raft members, with sessions (Enterprise from 5.5)",
)
.expectations(include_str!("expectations_cp.toml"))
.family(Family::Consensus)
.expiry(Expiry::ServerWallClock)
.replicated()
.token(TOKEN)
.check(CHECK)
.timeout(TIMEOUT)
.reentrancy(Reentrancy::Counted)
.promises(CP_PROMISES)
.flawed_defaults(&[
    "members keep nothing on disk: a restarted one is not part of its group, and without a majority the group is lost \
        until somebody resets it",
    "sessions expire by the leader's wall clock, so a step of it by the time to live closes them all",
    "silence is measured by the wall clock, so a step of 25 s makes a leader step down",
])
.verification(VERIFICATION)
.sources(&[
    "docs.hazelcast.com, Data Structures, FencedLock",
    "docs.hazelcast.com, IMDG, CP Subsystem: Configuration; Fault Tolerance Capabilities",
    "hazelcast/hazelcast, com.hazelcast.config.cp.CPSubsystemConfig and RaftAlgorithmConfig",
    "hazelcast/hazelcast, com.hazelcast.cp.internal.raft.impl.RaftNodeImpl: LeaderFailureDetectionTask, HeartbeatTask, \
         isHeartbeatTimedOut",
    "hazelcast/hazelcast, com.hazelcast.cp.internal.datastructures.lock.Lock and proxy.AbstractFencedLockProxy, \
         com.hazelcast.cp.internal.session.RaftSessionService and AbstractProxySessionManager",
]);

const FENCED_LOCK: &str = "docs.hazelcast.com, Data Structures, FencedLock; com.hazelcast.cp.lock.FencedLock, javadoc";
const UNSAFE: &str = "docs.hazelcast.com, CP Subsystem, Unsafe mode";

const AVOIDS_DEADLOCK: Promise = Promise {
    requirement: Requirement::AvoidsDeadlock,
    answer: Answer::Yes,
    says: "the session of a holder without a heartbeat for its time to live is closed, and its locks released",
    source: "docs.hazelcast.com, IMDG, CP Subsystem Configuration, session-time-to-live-seconds",
};

const REENTRANT: Promise = Promise {
    requirement: Requirement::Reentrant,
    answer: Answer::Yes,
    says: "a holder may acquire again, without limit unless one is configured, and gets the same fence",
    source: FENCED_LOCK,
};

const ORDER: Promise = Promise {
    requirement: Requirement::Order,
    answer: Answer::No,
    says: "does not support fairness (although its code serves waiters in the order of arrival)",
    source: FENCED_LOCK,
};

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::No,
        says: "an acquire that was answered with success can be lost when a member crashes, and split-brain protection is \
            not supported",
        source: UNSAFE,
    },
    AVOIDS_DEADLOCK,
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Yes,
        says: "works with one member or more; the backup replaces a lost primary",
        source: "hazelcast/hazelcast, pull request 15184",
    },
    REENTRANT,
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Silent,
        says: "the fence is described for a CP group only",
        source: UNSAFE,
    },
    ORDER,
];

const CP_PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "one thread in the whole cluster, with CP members; yet no lock service can promise that in an \
            asynchronous network: a holder that was paused past its session does not notice, so fences must be used",
        source: FENCED_LOCK,
    },
    AVOIDS_DEADLOCK,
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Conditional,
        says: "as long as a majority of the group's members is up; consistency comes before availability",
        source: "docs.hazelcast.com, IMDG, CP Subsystem; Fault Tolerance Capabilities",
    },
    REENTRANT,
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Yes,
        says: "the fence grows each time the lock goes from free to held",
        source: FENCED_LOCK,
    },
    ORDER,
];
