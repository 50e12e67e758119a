//! The simulated world of fencepost: one event heap on a madsim plugin, nodes with clocks, disks and connections of
//! their own, faults that are data, and a trace hash over every event. It knows nothing of locks.

#[cfg(not(madsim))]
compile_error!(
    "fencepost needs the cfg `madsim`, for itself and for its dependencies. Add to .cargo/config.toml:\n\n\
     [target.'cfg(all())']\n\
     rustflags = [\"--cfg\", \"madsim\"]\n\n\
     [build]\n\
     rustdocflags = [\"--cfg\", \"madsim\"]\n\n\
     An exported RUSTFLAGS or RUSTDOCFLAGS replaces these lines: unset it, or add `--cfg madsim` to it."
);

pub mod clock;
pub mod disk;
pub mod fault;
mod node;
pub mod schedule;
pub mod stream;
pub mod time;
pub mod units;

pub use self::node::NodeId;
