//! What the database, its clients and its standby say to each other.

use serde::Serialize;

use super::log::Entry;
use crate::guarded::{ReadReply, Write};
use crate::history::ResourceId;
use crate::history::{GrantId, Refusal};

/// What the database and its clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum SqlMessage {
    /// `SELECT … FOR UPDATE`, which begins a transaction and waits for the row lock at most so long.
    SelectForUpdate { attempt: GrantId, wait_ms: u64 },
    /// `SELECT …`, within the transaction if there is one.
    Select { attempt: GrantId },
    /// `UPDATE …` within the transaction.
    Update(Write),
    /// `UPDATE … WHERE version = …`, a transaction of its own.
    UpdateAlone(Write),
    /// `COMMIT`.
    Commit { attempt: GrantId },
    /// `ROLLBACK`.
    Rollback { attempt: GrantId },
    /// The row.
    Row(ReadReply),
    /// It is done; a commit is durable.
    Done,
    /// Zero rows changed: the condition does not hold.
    Refused(Refusal),
    /// No row lock within the wait.
    LockWaitTimeout,
    /// There is no transaction: it was rolled back.
    NoTransaction,

    // New variants come last: a trace is the bytes of its events, which begin with the number of the variant.

    // Locks of the session.
    /// `SELECT pg_advisory_lock(key)`, which waits for as long as it takes, or `SELECT GET_LOCK(name, timeout)`, which
    /// waits at most so long.
    Lock {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        attempt: GrantId,
        wait_ms: Option<u64>,
    },
    /// `SELECT pg_advisory_unlock(key)` or `SELECT RELEASE_LOCK(name)`, on behalf of a grant that the server does not get
    /// to see.
    Unlock {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        on_behalf: GrantId,
    },
    /// A request to cancel the statement with which this attempt waits, on a connection of its own.
    Cancel { attempt: GrantId },
    /// The session has the lock; that of an earlier acquire, if it had it already.
    Locked { grant: GrantId },
    /// The session does not have it: `GET_LOCK` gave 0, or the statement was cancelled; or there was nothing to release.
    NotLocked,

    // The table of lock rows.
    /// `INSERT INTO shedlock …`, a transaction of its own.
    InsertLease(Lease),
    /// `UPDATE shedlock SET … WHERE name = … AND lock_until <= now`.
    TakeLease(Lease),
    /// `UPDATE shedlock SET lock_until = … WHERE name = … AND locked_by = … AND lock_until > now`.
    ExtendLease(Lease),
    /// `UPDATE shedlock SET lock_until = … WHERE name = …`, on behalf of a grant that the server does not get to see. By
    /// the database's clock, only `WHERE locked_by = …` too.
    ReleaseLease(Lease),
    /// One row changed.
    Changed,
    /// No row changed; there was one in the way, or none.
    Unchanged,

    // Several hosts.
    /// `SHOW transaction_read_only`.
    ShowReadOnly,
    /// This server takes writes.
    Writable,
    /// This server is a standby: it takes none.
    ReadOnly,

    // Between the servers.
    /// The primary's log from this place on; it may be nothing, to show that it is alive.
    Ship { history: History, from: u32, entries: Vec<Entry> },
    /// The standby has the log up to this place.
    Received { timeline: u32, length: u32 },
}

/// A line of the table of lock rows, as a statement names it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Lease {
    /// The lock's name.
    #[serde(skip_serializing_if = "ResourceId::is_first")]
    pub resource: ResourceId,
    /// The attempt, or the grant that is extended or released. For the ground truth only: the row says the host's name.
    pub attempt: GrantId,
    /// `locked_by`: the host's name.
    pub by: u16,
    /// What time it is and until when, in words of the clock that counts.
    pub times: Times,
}

/// The times of a statement on lock rows, in milliseconds, which is what the table's columns hold.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Times {
    /// By the client's clock: what it read before it sent the statement, and what it made of that.
    Client { now: i64, until: i64 },
    /// By the database's clock: so long from when the statement is executed, or from when the row was locked.
    Database { lasts: i64 },
}

/// Where a log comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// Grows with every promotion.
    pub timeline: u32,
    /// The timeline that it branched off, …
    pub ancestor: u32,
    /// … and at what place of the log.
    pub fork: u32,
}
