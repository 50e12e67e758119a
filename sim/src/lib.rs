//! The simulated world: nodes with their own clocks, disks and connections, and faults as data. One heap of pending events
//! runs as a madsim plugin, and a trace hash covers every event. This crate is independent of locks.
//!
//! Where to look: [`faults`] for the kinds of fault; `process/`, `clock/`, `net/` and `disk.rs` for the effects of
//! faults on each part of a node; `kernel.rs` for the event loop; [`Ctx`] and [`Service`] for the APIs of clients and
//! servers.

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
mod ctx;
pub mod disk;
mod event_queue;
pub mod faults;
mod kernel;
mod message;
mod net;
mod node;
mod observer;
mod process;
mod runtime;
pub mod schedule;
mod service;
pub mod stream;
mod task;
pub mod text;
pub mod time;
mod trace;
pub mod units;
mod waits;
mod world;

pub use self::clock::timers::TimerId;
pub use self::ctx::{Call, Ctx, Either, Sleep, race};
pub use self::kernel::Stop;
pub use self::message::Message;
pub use self::net::{ConnId, KEEP_ALIVE, NetworkConfig, PEER_TIMEOUT, STALL_LIMIT, Session, Transport};
pub use self::node::{NodeId, STORE};
pub use self::observer::{Clocks, Observer};
pub use self::runtime::{Driver, Host, Process, Setup};
pub use self::service::{Caller, Env, MonoDeadline, Service, WallDeadline};
pub use self::task::{Signal, Task};
pub use self::time::{Mono, SimTime, Wall};
pub use self::trace::{LAYOUT, Occurrence, TraceHash};
pub use self::waits::CallError;
pub use self::world::{InjectionState, World};
