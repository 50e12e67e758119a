//! What stops and delays the process of a node: pauses of the process or its machine, crashes, slowdowns.

pub(crate) mod crash;
pub(crate) mod pause;
pub(crate) mod slowdown;
