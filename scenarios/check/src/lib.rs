//! What judges: the properties, the checkers that follow the history of a case, the specifications of locks, and the
//! search for a legal order. It runs nothing, so that it builds fast, and mutants of it can be tried one by one.

pub mod check;
pub mod guarded;
pub mod linearizable;
pub mod property;
pub mod span;
pub mod spec;
