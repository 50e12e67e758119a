//! Reads and writes inside the lock's own service.

use std::future::Future;
use std::pin::Pin;

use super::message::{ReadReply, StoreAccess};
use crate::grant::{Grant, LockError};

/// A future for the result of a read or write.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LockError>> + 'a>>;

/// The guarded data inside the lock's own service, where the lock and the write succeed or fail together.
pub trait InStore {
    /// Reads the row.
    fn read<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess) -> StoreFuture<'a, ReadReply>;

    /// Writes the row, and reaches the step `write-sent` once the request is sent.
    fn write<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess, read: ReadReply) -> StoreFuture<'a, ()>;
}
