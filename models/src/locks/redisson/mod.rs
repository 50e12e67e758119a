//! Redisson's locks on one Redis: a hash whose field is the owner and whose value counts its acquires, a watchdog that
//! renews the key, and a channel that wakes waiters (redisson/redisson: RedissonLock.java, RedissonBaseLock.java; the
//! scripts are in [`crate::servers::redis`]).
//!
//! Left out: the latch key by which `unlock` can be repeated, since version 4.7 repeats neither acquire nor release after
//! a timeout (`evalWriteSyncedNoRetryAsync`); and `WAIT` with `checkLockSyncedSlaves` (on by default), which Redisson
//! sends only outside of single-server mode (`CommandAsyncService.syncedEval`).

mod client;
mod fenced;
mod lock;
mod plain;
mod settings;
mod watchdog;

pub use self::fenced::RedissonFenced;
pub use self::plain::Redisson;
