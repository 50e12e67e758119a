//! A log that a majority agrees on, for the locks of etcd, ZooKeeper, Consul, Chubby and Hazelcast: tikv's `raft` crate
//! (raft-rs), which follows etcd's own, between a simulated disk and simulated peers.
//!
//! A lock that uses it says three things:
//!
//! * its [`Machine`]: the state that every server replicates, and the commands that change it. Commands are plain data;
//!   ground truth is noted in [`Machine::apply`], and counts when the first server applies the entry;
//! * its [`Duties`]: what a server does beside the log, with its [`Core`] at hand. Everything there is in memory only,
//!   and what only the leader may do (clocks, leases, sessions) begins with [`Duties::on_leader`] and ends with
//!   [`Duties::on_deposed`] or a crash;
//! * a message type that carries the replicas' [`Packet`]s beside its own messages: [`Carries`].
//!
//! [`deploy`] then makes the servers. A request becomes a command with [`Core::propose`], on whichever server the client
//! is connected to: raft brings it to the leader, and the server that proposed it gets its ticket back when it applies
//! the entry *itself*, as etcd does, so that its clients read their own writes. [`Core::read`] is a linearizable read.
//! A server of a system whose followers do not forward looks at [`Core::leads`] and [`Core::leader`] first.
//!
//! # What is as in reality, and what is not
//!
//! * Votes, terms and entries are synced to the disk before the messages go out that rely on them, as raft-rs demands
//!   (`Ready::persisted_messages`); a leader's own entries are written while its messages are on their way. A write takes
//!   no time. A crash that loses what was not synced loses nothing then, except with [`Config::fsync`] off.
//! * Election timeouts come from a stream of the server's own, never from the operating system. Ticks are counted by the
//!   node's monotonic clock, so faults of clocks and pauses reach elections; servers tick out of step with each other.
//! * A server whose disk was wiped comes back empty under its old name. Raft forbids this: it may vote twice in a term, and
//!   may have helped to commit what it no longer has. With enough of them, acknowledged entries are lost and the cluster
//!   may run with two histories; no rule of the model hides that. [`Config::rejoins`] says how the leader treats it.
//! * An entry's index may be applied with another entry then. It is noted again; nothing notes the end of what was
//!   granted by the entry that was lost.
//! * Members never change, and leadership is never handed over on purpose.
//!
//! # A lock's servers in short
//!
//! ```
//! use fencepost_models::Env;
//! use fencepost_models::servers::raft::{Applied, Carries, Core, Duties, Loss, Machine, Packet, Truth};
//! use fencepost_sim::Caller;
//! use serde::{Deserialize, Serialize};
//!
//! /// One register.
//! #[derive(Clone, Debug, Default, Serialize)]
//! struct Register(u64);
//!
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! struct Put(u64);
//!
//! impl Machine for Register {
//!     type Command = Put;
//!     type Answer = u64;
//!
//!     fn apply(&mut self, _: &mut Truth, _index: u64, Put(value): &Put) -> u64 {
//!         std::mem::replace(&mut self.0, *value)
//!     }
//! }
//!
//! #[derive(Clone, Debug, Serialize)]
//! enum Msg {
//!     Put(u64),
//!     Get,
//!     Value(u64),
//!     Raft(Packet<Register>),
//! }
//!
//! impl From<Packet<Register>> for Msg {
//!     fn from(packet: Packet<Register>) -> Self {
//!         Msg::Raft(packet)
//!     }
//! }
//!
//! impl Carries<Packet<Register>> for Msg {
//!     fn unpack(self) -> Result<Packet<Register>, Self> {
//!         match self {
//!             Msg::Raft(packet) => Ok(packet),
//!             other => Err(other),
//!         }
//!     }
//! }
//!
//! struct Server;
//!
//! impl Duties for Server {
//!     type Machine = Register;
//!     type Message = Msg;
//!     type Ticket = Caller;
//!
//!     fn on_request(&mut self, _: &mut Env<'_, Msg>, core: &mut Core<Self>, from: Caller, message: Msg) {
//!         match message {
//!             Msg::Put(value) => core.propose(&Put(value), from),
//!             Msg::Get => core.read(from),
//!             Msg::Value(_) | Msg::Raft(_) => {}
//!         }
//!     }
//!
//!     fn on_applied(&mut self, env: &mut Env<'_, Msg>, _: &mut Core<Self>, applied: Applied<Self>) {
//!         if let Some(from) = applied.ticket {
//!             env.reply(from, Msg::Value(applied.answer));
//!         }
//!     }
//!
//!     fn on_read(&mut self, env: &mut Env<'_, Msg>, core: &mut Core<Self>, from: Caller) {
//!         env.reply(from, Msg::Value(core.machine().0));
//!     }
//!
//!     fn on_lost(&mut self, _: &mut Env<'_, Msg>, _: &mut Core<Self>, _: Caller, _: Loss) {
//!         // The client's own timeout tells it, or an error if the real server sends one.
//!     }
//!
//!     fn on_crash(&mut self, _: &mut Env<'_, Msg>) {}
//! }
//!
//! // In `Lock::deploy`:
//! # use fencepost_models::{Site, raft};
//! # fn deploy_it(site: &mut Site<'_, Msg>, names: &[String]) {
//! raft::deploy(site, names, raft::Config::default(), Register::default(), |_nth| Server);
//! # }
//! ```

mod config;
mod core;
mod log;
mod machine;
mod packet;
mod reads;
mod replica;
mod server;

pub use self::config::{Config, ReadMode};
pub use self::core::Core;
pub use self::machine::{Command, Lineage, Machine, Truth};
pub use self::packet::{Carries, Packet};
pub use self::server::{Applied, Duties, Loss, Server, deploy};
