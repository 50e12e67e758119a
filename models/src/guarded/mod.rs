//! What locks guard: the rows and effects at the guarded store.

pub mod effects;
pub mod inventory;
pub(crate) mod row;
