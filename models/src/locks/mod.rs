//! The locks. Each is one file.

mod hazelcast;
mod lease_server;
mod none;
mod redis_set_px;
mod redis_set_px_del;
mod redlock;
mod sql_for_update;
mod sql_version;

pub use self::hazelcast::{Hazelcast, HazelcastParams};
pub use self::lease_server::LeaseServerLock;
pub use self::none::NoLock;
pub use self::redis_set_px::RedisSetPx;
pub use self::redis_set_px_del::RedisSetPxDel;
pub use self::redlock::{Redlock, RedlockParams};
pub use self::sql_for_update::SqlForUpdate;
pub use self::sql_version::SqlVersion;

use std::time::Duration;

use fencepost_sim::fault::Harm;

/// How long a client of a single server waits for a reply: the default of Jedis (`Protocol.DEFAULT_TIMEOUT`, 2000 ms).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client waits between two tries: the default `sleep=0.1` of the lock of redis-py.
const POLL: Duration = Duration::from_millis(100);

/// A waiter that polls gets a lock which expires within `expiry`, within this: it may have to wait for a stream to get
/// through again, for a request of its own that brings no reply, and for its next turns.
fn poll_bound(expiry: Duration, harm: &Harm) -> Duration {
    expiry + harm.reconnect + 2 * REQUEST_TIMEOUT + 2 * POLL
}
