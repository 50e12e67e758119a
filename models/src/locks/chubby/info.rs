//! What the paper says about Chubby's locks.

use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};

macro_rules! paper {
    ($section:literal) => {
        concat!("Burrows, The Chubby lock service, OSDI 2006, section ", $section)
    };
}

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "one handle may hold a lock in exclusive mode; locks are advisory, and messages of a dead holder may \
            arrive late, which sequencers and the lock-delay guard against. Clocks must not differ in rate by more \
            than a known factor",
        source: paper!("2.4, 2.8"),
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "a session that is not kept alive ends with its lease, and its locks are free after the lock-delay",
        source: paper!("2.4, 2.8"),
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Yes,
        says: "five replicas elect a master, a new one within seconds; sessions outlive a fail-over within the \
               grace period",
        source: paper!("2.1, 2.8, 2.9, 4.1"),
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Silent,
        says: "a second Acquire of the same client is not described; locks conflict with all other attempts",
        source: paper!("2.4, 2.6"),
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Yes,
        says: "a sequencer has the lock's name, mode and generation; servers reject it if it is not valid, or \
               older than the newest that they have seen",
        source: paper!("2.4"),
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "in which order waiting clients acquire is not described",
        source: paper!("2.4, 2.6"),
    },
];

pub(super) const INFO: LockInfo =
    LockInfo::new("chubby", "Chubby: sessions with leases and a grace period, locks with sequencers and a lock-delay")
        .expectations(include_str!("expectations.toml"))
        .family(Family::Consensus)
        .expiry(Expiry::LeaderMonotonicClock)
        .replicated()
        .token("GetSequencer(): the lock's generation number")
        .check("CheckSequencer(): asks the master")
        .loss_notice("the event that the session has expired, after jeopardy and the grace period")
        // Each attempt opens its own handle, and only one handle may hold the lock.
        .reentrancy(Reentrancy::SelfDeadlock)
        .promises(PROMISES)
        .verification(Verification::Documentation)
        .sources(&["Burrows, The Chubby lock service for loosely-coupled distributed systems, OSDI 2006"]);
