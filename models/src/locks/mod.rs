//! The locks. Each is one file.

pub mod chubby;
pub mod consul;
mod dynamodb;
pub mod etcd;
pub mod hazelcast;
mod k8s_lease;
pub mod lease_server;
mod mysql_get_lock;
mod none;
mod pg_advisory;
mod redis_sentinel;
mod redis_set_px;
mod redis_set_px_del;
mod redis_setnx;
mod redis_setnx_expire;
mod redisson;
mod redlock;
mod session_lock;
mod sql_for_update;
mod sql_lease_row;
mod sql_version;
pub mod zookeeper;

pub use self::chubby::{ChubbyLock, ChubbyParams};
pub use self::consul::{ConsulLock, ConsulParams};
pub use self::dynamodb::{DynamoDb, DynamoDbParams};
pub use self::etcd::{Etcd, EtcdParams};
pub use self::hazelcast::{Hazelcast, HazelcastParams};
pub use self::k8s_lease::{CandidateIdentity, K8sLease, K8sLeaseParams};
pub use self::lease_server::LeaseServerLock;
pub use self::mysql_get_lock::MysqlGetLock;
pub use self::none::NoLock;
pub use self::pg_advisory::PgAdvisory;
pub use self::redis_sentinel::RedisSentinel;
pub use self::redis_set_px::RedisSetPx;
pub use self::redis_set_px_del::RedisSetPxDel;
pub use self::redis_setnx::RedisSetNx;
pub use self::redis_setnx_expire::RedisSetNxExpire;
pub use self::redisson::{Redisson, RedissonFenced};
pub use self::redlock::{Redlock, RedlockParams};
pub use self::sql_for_update::SqlForUpdate;
pub use self::sql_lease_row::SqlLeaseRow;
pub use self::sql_version::SqlVersion;
pub use self::zookeeper::Zookeeper;

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;

use crate::lock::POLL;

/// How long a client of a single server waits for a reply: the default of Jedis (`Protocol.DEFAULT_TIMEOUT`, 2000 ms).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A waiter that polls gets a lock which expires within `expiry`, within this: it may have to wait for a stream to get
/// through again, for a request of its own that brings no reply, and for its next turns.
fn poll_bound(expiry: Duration, allowance: &BoundAllowance) -> Duration {
    expiry + allowance.reconnect + 2 * REQUEST_TIMEOUT + 2 * POLL
}

/// A timing that keeps its ratio to the main timing as that goes from `main` to `new`.
fn scaled(timing: Duration, main: Duration, new: Duration) -> Duration {
    let nanos = timing.as_nanos() * new.as_nanos() / main.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
