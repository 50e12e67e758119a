//! A replicated log for the locks of etcd, ZooKeeper, Consul, Chubby and Hazelcast: tikv's `raft` crate (raft-rs),
//! which follows etcd's, with a simulated disk and simulated peers.
//!
//! A lock that uses it defines:
//!
//! * a [`Machine`]: the replicated state and its commands. Commands are plain data. [`Machine::apply`] records the
//!   ground truth, which counts when the first server applies the entry;
//! * a [`RaftApp`]: the rest of the server, with access to its [`Core`]. All of it is in memory only. Work of the
//!   leader alone (clocks, leases, sessions) starts at [`RaftApp::on_leader`] and ends at [`RaftApp::on_deposed`] or a
//!   crash;
//! * a message type that carries the replicas' [`Packet`]s beside its own messages: [`Carries`].
//!
//! [`deploy`] creates the servers. [`Core::propose`] turns a request into a command on the server that the client is
//! connected to. Raft forwards it to the leader. The proposing server gets its ticket back when it applies the entry
//! *itself*, as etcd does, so that clients read their own writes. [`Core::read`] is a linearizable read. A server whose
//! system does not forward checks [`Core::leads`] and [`Core::leader`] first.
//!
//! # Fidelity
//!
//! * Votes, terms and entries are synced before the messages that rely on them are sent, as raft-rs requires
//!   (`Ready::persisted_messages`); a leader sends its own entries while it writes them. A write takes no time. A crash
//!   therefore loses nothing that matters, except with [`Config::fsync`] off.
//! * Election timeouts come from a stream of the server, never from the operating system. The node's monotonic clock
//!   counts the ticks, so clock faults and pauses reach elections. Servers do not tick in step.
//! * A server whose disk was wiped restarts empty under its old name. Raft forbids this: it may vote twice in a term,
//!   and may have helped to commit entries that it lost. With enough such servers, acknowledged entries are lost and
//!   the cluster may run with two histories. The model does not hide this. [`Config::resend_lost_entries`] controls how
//!   the leader treats such a server.
//! * In that case an index may be applied with another entry. Its events are recorded again; nothing records the end of
//!   a grant whose entry was lost.
//! * Membership is fixed, and leadership is never transferred on purpose.
//!
//! # Example
//!
//! ```
//! use fencepost_models::Env;
//! use fencepost_models::servers::raft::{Applied, Carries, Core, GroundTruthLog, Machine, Packet};
//! use fencepost_models::servers::raft::{RaftApp, RequestError};
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
//!     fn apply(&mut self, _: &mut GroundTruthLog, _index: u64, Put(value): &Put) -> u64 {
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
//! impl RaftApp for Server {
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
//!     fn on_failed(&mut self, _: &mut Env<'_, Msg>, _: &mut Core<Self>, _: Caller, _: RequestError) {
//!         // The client times out; a real server may send an error instead.
//!     }
//!
//!     fn on_crash(&mut self, _: &mut Env<'_, Msg>) {}
//! }
//!
//! // In `Lock::deploy`:
//! # use fencepost_models::{Site, servers::raft};
//! # fn deploy_servers(site: &mut Site<'_, Msg>, names: &[String]) {
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
mod watch;

pub use self::config::{Config, ReadMode, WatchConfig};
pub use self::core::{Applied, Core, RaftApp, RequestError};
pub use self::machine::{AppliedEntries, Command, GroundTruthLog, Machine};
pub use self::packet::{Carries, Packet};
pub use self::server::{Server, deploy};
