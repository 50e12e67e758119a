//! What etcd's documentation and source say about its lock.

use crate::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "a lease cannot stop a process that was paused past it: the guarded service has to check a version, or \
            its data has to be in etcd and be written on condition that the key is still owned",
        source: "etcd, contrib/lock/README.md; v3lock.proto, LockResponse.key; Jepsen, etcd 3.4.3",
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "when the lease expires or is revoked, the lock is released; a client that ends abnormally \
                delays the others by up to the time to live",
        source: "etcd, v3lock.proto, LockRequest.lease; etcdctl README, LOCK",
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Yes,
        says: "the cluster works as long as a majority of its members does; leases go through Raft. The pages on \
            locks add nothing",
        source: "etcd documentation, Failure modes",
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Conditional,
        says: "locking twice with the same lease counts once, and one unlock frees it",
        source: "etcd, v3lock.proto, LockRequest.lease",
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Yes,
        says: "revisions grow with every change and serve as a logical clock; the mutex gives the revision of its last \
            response, and a comparison of its key's create revision for transactions",
        source: "etcd, api_guarantees.md, Revision; concurrency/mutex.go, Header and IsOwner",
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "not documented; by its code, the key with the lowest create revision is next",
        source: "etcd, concurrency/mutex.go, Lock",
    },
];

const BUGS: &[BugInfo] = &[
    BugInfo {
        name: "etcd-stale-grant",
        about: "a waiter whose key is gone with its lease still gets the lock when its predecessor unlocks",
        scenario: "bug-etcd-stale-grant",
        property: "effect-exclusion",
        source: "etcd-io/etcd#11456 (found by Jepsen, 3.4.3), earlier #9921; fixed by reading the own key again",
        since: "not determined",
        fixed_in: None,
        default_on: false,
    },
    BugInfo {
        name: "etcd-stuck-leader",
        about: "a leader that was stuck and replaced revokes leases that were renewed at its successor: a follower \
            forwards its proposals, without their term",
        scenario: "bug-etcd-stuck-leader",
        property: "belief-exclusion",
        source: "etcd-io/etcd#12528, #15247; fixed by #16822, which makes sure of the leadership before it revokes",
        since: "not determined",
        fixed_in: None,
        default_on: false,
    },
    BugInfo {
        name: "raft-stale-read",
        about: "a leader reads without asking a quorum, and without stepping down when it hears from none: once \
            deposed, it answers with old data, such as that a waiter's own key still exists",
        scenario: "bug-raft-stale-read",
        property: "belief-exclusion",
        source: "etcd-io/etcd#741 (etcd 0.x, 2014)",
        since: "not determined",
        fixed_in: None,
        default_on: false,
    },
];

pub(super) const INFO: LockInfo = LockInfo::new(
    "etcd",
    "etcd's concurrency.Mutex: a key with a lease for each client, the oldest of which holds the lock",
)
.expectations(include_str!("expectations.toml"))
.family(Family::Consensus)
.expiry(Expiry::LeaderMonotonicClock)
.replicated()
.token(
    "`Mutex.Header().Revision`: the store's revision when the lock was acquired (etcdctl: `ETCD_LOCK_REV`). It repeats \
        when the same session locks again after an unlock that did not take effect, and nothing was written since",
)
.owner_txn()
.check("`Session.Done()`: a local channel, closed when keep-alives end")
.loss_notice("`Session.Done()`")
.timeout("the context of `Mutex.Lock(ctx)`")
.reentrancy(Reentrancy::Uncounted)
.promises(PROMISES)
.flawed_defaults(&[
    "a Lock whose first transaction brings no answer leaves its key in the queue, where it blocks the others as long \
        as the session lives",
    "Unlock deletes the key by its name: a late one frees a later lock of the same session",
    "a waiter does not notice the end of its own session before its turn (etcd-io/etcd#19597)",
    "without keep-alive pings, which programs must request, a client hangs on an unreachable member",
])
.bugs(BUGS)
.verification(Verification::Documentation)
.sources(&[
    "etcd-io/etcd, client/v3/concurrency/mutex.go and session.go, client/v3/lease.go, client/v3/retry.go",
    "etcd-io/etcd, server/lease/lessor.go, server/etcdserver/v3_server.go and server.go",
    "etcd documentation, KV API guarantees",
    "Jepsen, etcd 3.4.3, 2020",
]);
