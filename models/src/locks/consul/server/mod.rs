//! The part of Consul's servers that `api.Lock` needs: sessions with a time to live, keys that a session can acquire,
//! blocking queries. Modelled from HashiCorp's source.
//!
//! - A session's timer runs in the leader's memory, for twice its time to live ("to give a client a grace period"). It
//!   restarts with every renewal, and for all sessions when a leader is elected (agent/consul/session_ttl.go:
//!   `createSessionTimer`, `initializeSessionTimers`; structs.SessionTTLMultiplier). When it expires, the leader has
//!   the session destroyed through Raft, in up to six attempts (`invalidateSession`).
//! - Destroying a session frees its keys and starts a lock-delay for them. Every server that applies the destruction
//!   has the delay in its memory, by its own clock (agent/consul/state/session.go, `deleteSessionTxn`;
//!   state/delay_oss.go). The leader checks its own before it proposes an acquire (agent/consul/kvs_endpoint.go,
//!   `kvsPreApply`), so a new leader knows the delays. A server that restarts starts them over as it replays its log,
//!   but has none of those that its snapshot covers.
//! - A key's `LockIndex` grows with each acquire by a session that did not hold it (state/kvs.go, `kvsLockTxn`).
//! - Servers forward requests to the leader, and hold them for up to seven seconds without one (agent/consul/rpc.go,
//!   `forward`).
//! - The leader that received a blocking query answers it even if it is deposed meanwhile. Consistent queries ask a
//!   quorum before every look at the state (rpc.go, `blockingQuery`, `consistentRead`).
//!
//! - A session also ends when gossip declares its node dead, by the check `serfHealth` (agent/session_endpoint.go,
//!   `SessionCreate`; agent/consul/leader.go, `handleFailedMember`).

mod forward;
mod gossip;
mod machine;
mod queries;
mod replica;
mod sessions;

pub use self::forward::HOLD;
pub use self::machine::{Catalog, Change, Outcome, Terms};
pub use self::replica::{Consul, ServerConfig, Ticket};

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::{GrantId, ResourceId};
use crate::servers::raft::{Carries, Packet};

/// A request, a reply, or a message between servers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ConsulMessage {
    /// A client's request.
    Request(Request),
    /// The answer.
    Reply(Reply),
    /// A server forwards a request to the leader.
    Forward { number: u64, request: Request },
    /// The leader's answer to a forwarded request.
    Forwarded { number: u64, reply: Reply },
    /// Between replicas.
    Raft(Packet<Catalog>),
}

/// A client's request. Consul draws a UUID for each session; here it is the ID of the attempt for which the session was
/// created, which is as unique: `api.Lock` creates a session for each.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Request {
    /// A liveness check (yamux pings its peers).
    Ping,
    /// `PUT /v1/session/create`.
    CreateSession { session: GrantId, terms: Terms },
    /// `PUT /v1/session/renew`.
    RenewSession { session: GrantId },
    /// `PUT /v1/session/destroy`.
    DestroySession { session: GrantId },
    /// `GET /v1/kv/…?index=&wait=`: the holder of the key. Blocks until its index exceeds `after`, unless `after` is 0.
    Get {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        after: u64,
        wait: Duration,
        consistency: Consistency,
    },
    /// `PUT /v1/kv/…?acquire=`.
    Acquire {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        session: GrantId,
    },
    /// `PUT /v1/kv/…?release=`.
    Release {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        session: GrantId,
    },
}

/// How a read is answered (Consul's documentation, Consistency Modes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// By the leader from its own state, assuming that it still leads.
    #[default]
    Default,
    /// By the leader, after a quorum has confirmed it.
    Consistent,
    /// By any server from its own state.
    Stale,
}

/// The answer of a server.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Reply {
    /// The answer to a ping.
    Pong,
    /// Whether the request took effect; there was no error.
    Done { ok: bool },
    /// The holder of the key: its session and the key's `LockIndex`.
    Entry { index: u64, holder: Option<(GrantId, u64)> },
    /// The request is invalid: no such session, or a time to live out of range. Nothing changed.
    Invalid,
    /// There was no leader. Nothing changed.
    NoLeader,
    /// The request was lost. It may have taken effect, or may still.
    Lost,
}

impl Request {
    /// Whether the request changes nothing.
    pub fn is_read(&self) -> bool {
        matches!(self, Request::Get { .. } | Request::Ping)
    }
}

impl From<Packet<Catalog>> for ConsulMessage {
    fn from(packet: Packet<Catalog>) -> Self {
        ConsulMessage::Raft(packet)
    }
}

impl Carries<Packet<Catalog>> for ConsulMessage {
    fn unpack(self) -> Result<Packet<Catalog>, Self> {
        match self {
            ConsulMessage::Raft(packet) => Ok(packet),
            other => Err(other),
        }
    }
}
