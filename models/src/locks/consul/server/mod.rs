//! Consul's servers, as far as `api.Lock` needs them: sessions with a time to live, keys that a session can acquire,
//! blocking queries. Modelled from HashiCorp's source.
//!
//! - A session's timer runs in the leader's memory, for twice its time to live ("to give a client a grace period"), and
//!   starts anew with every renewal and for all sessions when a leader is elected (agent/consul/session_ttl.go:
//!   `createSessionTimer`, `initializeSessionTimers`; structs.SessionTTLMultiplier). When it runs out, the leader has
//!   the session destroyed through Raft, and tries that up to six times (`invalidateSession`).
//! - Destroying a session frees its keys and puts a lock-delay on them. The delay is in the memory of every server that
//!   applies the destruction, by that server's own clock (agent/consul/state/session.go, `deleteSessionTxn`;
//!   state/delay_oss.go), and the leader asks its own before it proposes an acquire (agent/consul/kvs_endpoint.go,
//!   `kvsPreApply`). So a follower that becomes leader knows the delays. A server that restarts begins them anew as it
//!   replays its log, and knows none of those that its snapshot covers: a state that was restored from a snapshot has
//!   none.
//! - A key's `LockIndex` grows with each acquire by a session that did not hold it (state/kvs.go, `kvsLockTxn`).
//! - Servers pass requests on to the leader, and hold them for up to seven seconds where there is none
//!   (agent/consul/rpc.go, `forward`).
//! - Queries that block are answered by the leader that got them, also if it is deposed meanwhile; those that must be
//!   consistent ask a quorum before every look at the state (rpc.go, `blockingQuery`, `consistentRead`).
//!
//! Left out: health checks. A session also ends when its node's gossip (`serfHealth`) calls it dead, which finds
//! crashed hosts sooner, and sometimes live ones.

mod forward;
mod machine;
mod queries;
mod server;
mod sessions;

pub use self::forward::HOLD;
pub use self::machine::{Catalog, Change, Outcome, Terms};
pub use self::server::{Consul, ServerConfig, Ticket};

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::GrantId;
use crate::history::ResourceId;
use crate::servers::raft::{Carries, Packet};

/// What Consul's servers and their clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ConsulMessage {
    /// A client asks.
    Request(Request),
    /// The answer.
    Reply(Reply),
    /// A server passes a request on to the leader.
    Forward { number: u64, request: Request },
    /// The leader's answer to that.
    Forwarded { number: u64, reply: Reply },
    /// Between replicas.
    Raft(Packet<Catalog>),
}

/// What a client asks. Consul draws a UUID for each session; here it is the id of the attempt that it was created for,
/// which is as unique: `api.Lock` makes a session for each.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Request {
    /// Are you there? (yamux pings its peers.)
    Ping,
    /// `PUT /v1/session/create`.
    CreateSession { session: GrantId, terms: Terms },
    /// `PUT /v1/session/renew`.
    RenewSession { session: GrantId },
    /// `PUT /v1/session/destroy`.
    DestroySession { session: GrantId },
    /// `GET /v1/kv/…?index=&wait=`: who holds the key? Blocks while its index is not beyond `after`, unless that is 0.
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
    /// By the leader from its own state, trusting that it still leads.
    #[default]
    Default,
    /// By the leader, after a quorum has confirmed it.
    Consistent,
    /// By any server from its own state.
    Stale,
}

/// What a server answers.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Reply {
    /// I am here.
    Pong,
    /// It is done, or was refused without an error.
    Done { ok: bool },
    /// Who holds the key: the session and the key's `LockIndex`.
    Entry { index: u64, holder: Option<(GrantId, u64)> },
    /// The request makes no sense: no such session, or a time to live out of range. Nothing changed.
    Invalid,
    /// No leader was to be found. Nothing changed.
    NoLeader,
    /// Something went wrong on the way. It may have taken effect, or may still.
    Lost,
}

impl Request {
    /// Whether it changes nothing.
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
