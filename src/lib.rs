//! fencepost: a deterministic simulator of distributed locks.
