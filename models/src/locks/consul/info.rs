//! What Consul says about its locks.

use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, VariantInfo, Verification};

const SESSIONS: &str = "Consul documentation, Sessions and distributed locks, Session Design";
const LOCK: &str = "hashicorp/consul, api/lock.go, Lock";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "locks are purely advisory; a session can be invalidated while its owner lives, and it is not safe \
               to assume that the lock is held until it is unlocked: by default, liveness comes before safety",
        source: "Consul documentation, Sessions and distributed locks; hashicorp/consul, api/lock.go, Lock",
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "a session is invalidated, and its locks are freed, when its node or health check fails or its time to \
            live expires; the time to live is a lower bound, and the lock-delay is added",
        source: SESSIONS,
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Yes,
        says: "three or five servers agree by Raft and need a majority; timers restart when a leader is elected",
        source: "Consul documentation, Consensus; hashicorp/consul, agent/consul/session_ttl.go",
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::No,
        says: "locking a held lock is an error, ErrLockHeld",
        source: LOCK,
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Yes,
        says: "key, LockIndex and session are a sequencer, as Chubby's: LockIndex grows with each acquire and \
               not with a release",
        source: "Consul documentation, Sessions and distributed locks, K/V Integration",
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "all waiters wake at once and race",
        source: LOCK,
    },
];

pub(super) const INFO: LockInfo =
    LockInfo::new("consul", "Consul's api.Lock: a session with a time to live, a key that it acquires, a lock-delay")
        .expectations(include_str!("expectations.toml"))
        .family(Family::Consensus)
        .expiry(Expiry::LeaderMonotonicClock)
        .replicated()
        .token("KV().Get(key): LockIndex, read once the key is held")
        .loss_notice("the channel that Lock() returned is closed")
        .timeout("LockOptions.LockTryOnce with LockWaitTime, or the stop channel of Lock()")
        .variants(&[
            VariantInfo {
                name: "api",
                about: "api.Lock with its defaults; the default, since `consul lock` and other programs use it",
                source: "hashicorp/consul, api/lock.go",
            },
            VariantInfo {
                name: "cli",
                about: "the command `consul lock`: three retries of the watch on the key, 1 s apart, and no token",
                source: "hashicorp/consul, command/lock/lock.go, defaultMonitorRetry",
            },
        ])
        .reentrancy(Reentrancy::Refused)
        .promises(PROMISES)
        .flawed_defaults(&[
            "the lock-delay is in the servers' memory only: a server that restored a snapshot after the session's \
         end knows nothing of it, and one that replays its log begins it anew (agent/consul/state/delay_oss.go, \
         session.go)",
            "a client whose session is no longer renewed is not told: only the watch over the key tells it \
         (api/session.go, RenewPeriodic; api/lock.go, monitorLock)",
        ])
        .verification(Verification::Source {
            version: "Consul main, memberlist and hashicorp/raft of June 2026",
            read: "2026-12-01",
        })
        .sources(&[
            "hashicorp/consul, api/lock.go, api/session.go",
            "hashicorp/consul, agent/consul: session_ttl.go, session_endpoint.go, kvs_endpoint.go, rpc.go, \
         client.go, state/session.go, state/kvs.go, state/delay_oss.go",
            "hashicorp/memberlist, config.go, state.go, suspicion.go; hashicorp/raft, raft.go, checkLeaderLease",
            "Consul documentation, Sessions and distributed locks; Consistency modes; Blocking queries",
        ]);
