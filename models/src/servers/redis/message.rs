//! What Redis and its clients say to each other.

use serde::Serialize;

use super::ReplicationMessage;
use crate::history::ResourceId;
use crate::history::{GrantId, Token};
use crate::servers::sentinel::SentinelMessage;
use crate::wire::Wire;

/// What Redis and its clients say to each other: commands and scripts, then replies, in two rounds since traces number
/// the variants. `key` is the lock that is meant.
///
/// The plain locks' value is the attempt that set it: unique across all clients and requests, as the pattern demands. A
/// Redisson client's identity is its `owner`; the grants beside it are ground truth that the server does not act on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum RedisMessage {
    /// `SET lock value NX PX ttl`.
    SetNxPx {
        value: GrantId,
        ttl_ms: u64,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `DEL lock`, on behalf of a grant that the server does not get to see.
    Del {
        on_behalf: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that deletes the lock if it still has this value.
    DelIfEqual {
        value: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `OK`, or the number of keys that were deleted or changed.
    Done,
    /// Null, or no key deleted or changed.
    Nothing,

    /// `SETNX lock value`: no expiry.
    SetNx {
        value: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `EXPIRE lock ttl`, whoever's it is.
    Expire {
        ttl_ms: u64,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that gives the lock a new expiry if it still has this value.
    ExtendIfEqual {
        value: GrantId,
        ttl_ms: u64,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// Redisson's script to acquire; `numbered` is the one of its fenced lock, which counts a token up. `within` is the
    /// holding that the client believes to have already.
    Lock {
        owner: GrantId,
        ttl_ms: u64,
        numbered: bool,
        attempt: GrantId,
        within: Option<GrantId>,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// Redisson's script to release.
    Unlock {
        owner: GrantId,
        ttl_ms: u64,
        on_behalf: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// Redisson's script to renew.
    Renew {
        owner: GrantId,
        ttl_ms: u64,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `GET` of the token counter.
    GetToken {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `SUBSCRIBE` to the lock's channel.
    Subscribe {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `UNSUBSCRIBE` from it.
    Unsubscribe {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `WAIT`: until so many replicas have all that this client wrote, or until the time is over (0: for ever).
    Wait { replicas: u32, timeout_ms: u64 },

    /// [`Lock`](RedisMessage::Lock) succeeded: this is the holding, and the token if one was asked for.
    Locked { grant: GrantId, token: Option<Token> },
    /// The lock is somebody else's for so long (`PTTL`); nothing if it has no expiry.
    Busy { left_ms: Option<u64> },
    /// A number: of replicas, or the token counter.
    Number(u64),
    /// Pushed to subscribers: the lock was released.
    Published {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },

    /// `ROLE`.
    Role,
    /// What `ROLE` says.
    RoleIs { master: bool },
    /// `-READONLY`: this is a replica.
    ReadOnly,
    /// `-NOREPLICAS`: too few replicas keep up.
    NoReplicas,
    /// Between a master and its replicas.
    Replication(ReplicationMessage),
    /// To and from Sentinels.
    Sentinel(SentinelMessage),
}

impl From<ReplicationMessage> for Wire<RedisMessage> {
    fn from(message: ReplicationMessage) -> Self {
        Wire::Lock(RedisMessage::Replication(message))
    }
}

impl From<SentinelMessage> for Wire<RedisMessage> {
    fn from(message: SentinelMessage) -> Self {
        Wire::Lock(RedisMessage::Sentinel(message))
    }
}

impl RedisMessage {
    /// The grant that this command is to release, as ground truth.
    pub fn releases(&self) -> Option<GrantId> {
        match *self {
            RedisMessage::Del { on_behalf: by, .. }
            | RedisMessage::DelIfEqual { value: by, .. }
            | RedisMessage::Unlock { on_behalf: by, .. } => Some(by),
            _ => None,
        }
    }
}
