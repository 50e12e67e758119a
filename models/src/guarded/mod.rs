//! The guarded store: the rows or effects that a lock protects, and the guards that the store itself offers.
//!
//! All workloads share its messages, guards, durability and events.

mod client;
mod effects;
mod fence;
mod in_store;
mod message;
mod row;
mod store;

pub use self::client::StoreClient;
pub use self::effects::Slot;
pub use self::fence::{FenceBugs, STORE_BUGS};
pub use self::in_store::{InStore, StoreFuture};
pub use self::message::{Guard, ReadReply, STORE_TIMEOUT, StoreAccess, StoreMessage, Update, Write};
pub(crate) use self::row::{Accepted, Change, Row};
pub use self::store::{StoreConfig, StoreKind, store_server};
