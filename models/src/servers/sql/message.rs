//! The messages of the database, its clients and its standby.

use serde::Serialize;

use super::log::Entry;
use crate::guarded::{ReadReply, Write};
use crate::history::{GrantId, Refusal, ResourceId};

/// A statement, a reply, or a message between the servers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum SqlMessage {
    /// `SELECT … FOR UPDATE`, which starts a transaction and waits for the row lock at most this long.
    SelectForUpdate { attempt: GrantId, wait_ms: u64 },
    /// `SELECT …`, within the transaction if there is one.
    Select { attempt: GrantId },
    /// `UPDATE …` within the transaction.
    Update(Write),
    /// `UPDATE … WHERE version = …`, in its own transaction.
    UpdateAlone(Write),
    /// `COMMIT`.
    Commit { attempt: GrantId },
    /// `ROLLBACK`.
    Rollback { attempt: GrantId },
    /// The row.
    Row(ReadReply),
    /// The statement succeeded; a commit is durable.
    Done,
    /// Zero rows changed: the condition does not hold.
    Refused(Refusal),
    /// The row lock was not free in time.
    LockWaitTimeout,
    /// There is no transaction: it was rolled back.
    NoTransaction,

    // New variants go last: a trace holds the bytes of its events, which start with the variant number.

    // Locks of the session.
    /// `SELECT pg_advisory_lock(key)`, which waits without limit, or `SELECT GET_LOCK(name, timeout)`, which waits at
    /// most this long.
    Lock {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        attempt: GrantId,
        wait_ms: Option<u64>,
    },
    /// `SELECT pg_advisory_unlock(key)` or `SELECT RELEASE_LOCK(name)`, on behalf of a grant that the server does not
    /// see.
    Unlock {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        on_behalf: GrantId,
    },
    /// A request to cancel the waiting statement of this attempt, on a separate connection.
    Cancel { attempt: GrantId },
    /// The session has the lock, with the grant of an earlier acquire if it had it already.
    Locked { grant: GrantId },
    /// The session does not have the lock: `GET_LOCK` returned 0, the statement was cancelled, or there was nothing to
    /// release.
    NotLocked,

    // The table of lock rows.
    /// `INSERT INTO shedlock …`, in its own transaction.
    InsertLease(Lease),
    /// `UPDATE shedlock SET … WHERE name = … AND lock_until <= now`.
    TakeLease(Lease),
    /// `UPDATE shedlock SET lock_until = … WHERE name = … AND locked_by = … AND lock_until > now`.
    ExtendLease(Lease),
    /// `UPDATE shedlock SET lock_until = … WHERE name = … AND locked_by = …`, on behalf of a grant that the server does
    /// not see.
    ReleaseLease(Lease),
    /// One row changed.
    Changed,
    /// No row changed: one was in the way, or none matched.
    Unchanged,

    // Several hosts.
    /// `SHOW transaction_read_only`.
    ShowReadOnly,
    /// This server accepts writes.
    Writable,
    /// This server is a standby and accepts no writes.
    ReadOnly,

    // Between the servers.
    /// The primary's log from this position on; empty as a sign of life.
    Ship { history: History, from: u32, entries: Vec<Entry> },
    /// The standby has the log up to this position.
    Received { timeline: u32, length: u32 },

    /// `UPDATE shedlock SET lock_until = … WHERE name = …`, of ShedLock before 7.0.0.
    ReleaseAnyLease(Lease),

    /// The empty query of `Connection.isValid`.
    IsValid,
    /// A query for whether this session holds the lock: on `pg_locks`, or `IS_USED_LOCK(name) = CONNECTION_ID()`.
    HoldsLock {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
    },
    /// The statement closed a cycle of waiting clients and was aborted: SQLSTATE 40P01, or ER_USER_LOCK_DEADLOCK.
    Deadlock,

    // Patroni.
    /// Renews the leader key, or takes it if `wants` and nobody has it. `timeline` is that of the server's log.
    RenewKey { server: u8, cycle: u32, wants: bool, timeline: u32 },
    /// The owner of the leader key, in reply to the server's cycle. Cycle 0 is a notice that the key expired.
    KeyOwner { owner: Option<u8>, cycle: u32 },
    /// `GET /patroni` of the other member.
    AskStatus,
    /// The answer: whether the member is a primary, and its position in the log.
    Status { leads: bool, timeline: u32, length: u32 },
}

/// A row of the table of lock rows, as a statement names it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Lease {
    /// The lock's name.
    #[serde(skip_serializing_if = "ResourceId::is_first")]
    pub resource: ResourceId,
    /// The attempt, or the grant to extend or release. Ground truth only: the row holds the host's name.
    pub attempt: GrantId,
    /// `locked_by`: the host's name.
    pub by: u16,
    /// The current time and the new expiry.
    pub times: Times,
}

/// The times of a statement on lock rows, in milliseconds, as in the table's columns.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Times {
    /// By the client's clock: its reading before it sent the statement, and the expiry computed from it.
    Client { now: i64, until: i64 },
    /// By the database's clock: the duration from the execution of the statement, or from the locking of the row.
    Database { lasts: i64 },
}

/// The origin of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// Increases with every promotion.
    pub timeline: u32,
    /// The timeline from which it branched.
    pub ancestor: u32,
    /// The log position at which it branched.
    pub fork: u32,
}
