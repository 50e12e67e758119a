//! Faults that stop or delay a node's process: pauses of the process or its machine, crashes, slowdowns.

pub(crate) mod crash;
pub(crate) mod pause;
pub(crate) mod slowdown;
