//! What ZooKeeper and Curator say about their lock.

use crate::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};

const RECIPE: &str = "ZooKeeper Recipes and Solutions (recipes.md), Locks";
const GUIDE: &str = "ZooKeeper Programmer's Guide (zookeeperProgrammers.md), ZooKeeper Sessions, Ephemeral Nodes";
const MUTEX: &str = "apache/curator, InterProcessMutex.java";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "at no time do two clients think that they hold the lock; but a holder whose connection is \
                suspended cannot be certain to hold it, and once the session is lost it does not: it has to \
                listen and stop",
        source: "ZooKeeper recipes.md, Locks; Curator, Shared Reentrant Lock, Error Handling; CURATOR-206 (#727)",
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "the node lives as long as the session that created it; when that expires the servers delete it",
        source: GUIDE,
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Silent,
        says: "not mentioned by the pages on locks; the service needs a majority of its servers",
        source: RECIPE,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Yes,
        says: "the same thread may acquire again, and must release as often",
        source: MUTEX,
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Silent,
        says: "zxids are totally ordered and every node has that of its creation, but the documentation does not call \
            it a fencing token; sequence numbers restart with their parent node",
        source: "ZooKeeper zookeeperProgrammers.md, Time in ZooKeeper, ZooKeeper Stat Structure",
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Yes,
        says: "each user gets the mutex in the order requested, from ZooKeeper's point of view",
        source: MUTEX,
    },
];

pub(super) const INFO: LockInfo = LockInfo::new(
    "zookeeper",
    "Curator's InterProcessMutex: ephemeral sequential nodes on ZooKeeper",
)
.expectations(include_str!("expectations.toml"))
.family(Family::Consensus)
.expiry(Expiry::LeaderMonotonicClock)
.replicated()
.token("czxid: the zxid that created the own node")
.owner_txn()
.fifo()
.check("`InterProcessMutex.isAcquiredInThisProcess()`, local state that stays true after LOST, and the flag that the program's listener sets (`stop_on`)")
.loss_notice("`ConnectionStateListener` with SUSPENDED and LOST, which the program must add")
.timeout("`acquire(time, unit)`")
.reentrancy(Reentrancy::Counted)
.promises(PROMISES)
.bugs(&[
    BugInfo {
        name: "curator-own-old-node",
        about: "a waiter takes its own node of an ended session for its lock; the servers will delete it",
        scenario: "bug-curator-own-old-node",
        property: "belief-exclusion",
        source: "CURATOR-604 (apache/curator#1121); CURATOR-498 (#1018) fixed the node that an earlier attempt left",
        since: "not determined",
        fixed_in: None,
        default_on: true,
    },
    BugInfo {
        name: "curator-release-forgets",
        about: "a release that fails with the connection drops the node, which blocks all others while the session \
            lives",
        scenario: "bug-curator-release-forgets",
        property: "progress",
        source: "CURATOR-678 (apache/curator#1193), CURATOR-486 (#1006)",
        since: "not determined",
        fixed_in: None,
        default_on: false,
    },
])
.verification(Verification::Documentation)
.sources(&[
    "apache/zookeeper: zookeeperProgrammers.md, recipes.md; ExpiryQueue.java, SessionTrackerImpl.java, \
         LearnerSessionTracker.java, ClientCnxn.java",
    "apache/curator: LockInternals.java, InterProcessMutex.java, ConnectionStateManager.java, ProtectedMode.java",
]);
