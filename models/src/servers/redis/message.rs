//! The messages of Redis and its clients.

use serde::Serialize;

use super::ReplicationMessage;
use crate::history::{GrantId, ResourceId, Token};
use crate::servers::sentinel::SentinelMessage;
use crate::wire::Wire;

/// Commands and scripts, then replies, in two groups since traces number the variants. `key` is the lock.
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
    /// `DEL lock`, on behalf of a grant that the server does not see.
    Del {
        on_behalf: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that deletes the lock if it has this value.
    DelIfEqual {
        value: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `OK`, or a positive number of deleted or changed keys.
    Done,
    /// Null, or no key deleted or changed.
    Nothing,

    /// `SETNX lock value`: no expiry.
    SetNx {
        value: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// `EXPIRE lock ttl`, regardless of the owner.
    Expire {
        ttl_ms: u64,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that gives the lock a new expiry if it has this value.
    ExtendIfEqual {
        value: GrantId,
        ttl_ms: u64,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// Redisson's script to acquire; `numbered` selects that of the fenced lock, which increments a token. `within` is
    /// the grant that the client believes to hold already.
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
    /// `WAIT`: until this number of replicas has all writes of this client, or until the timeout (0: none).
    Wait { replicas: u32, timeout_ms: u64 },

    /// [`Lock`](RedisMessage::Lock) succeeded, with this grant and the token of a fenced lock.
    Locked { grant: GrantId, token: Option<Token> },
    /// Another owner has the lock for this long (`PTTL`); `None` if it has no expiry.
    Busy { left_ms: Option<u64> },
    /// The number of replicas, or the token counter.
    Number(u64),
    /// Pushed to subscribers: the lock was released.
    Published {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },

    /// `ROLE`.
    Role,
    /// The reply to `ROLE`.
    RoleIs { master: bool },
    /// `-READONLY`: this is a replica.
    ReadOnly,
    /// `-NOREPLICAS`: too few replicas are in sync.
    NoReplicas,
    /// Between a master and its replicas.
    Replication(ReplicationMessage),
    /// To and from Sentinels.
    Sentinel(SentinelMessage),

    /// `GET lock`. The client compares the value.
    Get {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The reply to [`Get`](RedisMessage::Get).
    Found { value: Option<GrantId> },
    /// `HEXISTS lock owner`.
    HExists {
        owner: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that returns the `PTTL` of the lock in milliseconds if it has this value (bsm/redislock, pttl.lua).
    PttlIfEqual {
        value: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that sets the lock if it is absent or has this value (bsm/redislock, obtain.lua).
    Obtain {
        value: GrantId,
        ttl_ms: u64,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that sets the lock if it is absent or has this owner's id (Spring Integration, `OBTAIN_LOCK_SCRIPT`).
    ObtainAsOwner {
        owner: GrantId,
        ttl_ms: u64,
        attempt: GrantId,
        within: Option<GrantId>,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
    /// The script that deletes the lock if it has this owner's id (Spring Integration, `UNLINK_UNLOCK_SCRIPT`).
    UnlinkIfOwner {
        owner: GrantId,
        on_behalf: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        key: ResourceId,
    },
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
    /// The grant that this command is meant to release, as ground truth.
    pub fn releases(&self) -> Option<GrantId> {
        match *self {
            RedisMessage::Del { on_behalf: by, .. }
            | RedisMessage::DelIfEqual { value: by, .. }
            | RedisMessage::UnlinkIfOwner { on_behalf: by, .. }
            | RedisMessage::Unlock { on_behalf: by, .. } => Some(by),
            _ => None,
        }
    }
}
