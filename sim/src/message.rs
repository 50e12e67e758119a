//! Plain data that nodes can send and record.

use std::fmt;

use serde::Serialize;

/// Plain data that can be sent and traced. Every type that implements the three traits is a message. Its serialized form
/// must be the same on every machine, so it must not contain pointers, `usize` or floats.
pub trait Message: Clone + fmt::Debug + Serialize + 'static {}

impl<T: Clone + fmt::Debug + Serialize + 'static> Message for T {}
