//! The messages between replicas: raft's messages as plain data.

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use raft::eraftpb::{Entry, Message, MessageType};
use serde::{Serialize, Serializer};

use super::machine::{Command, Machine};

/// A message between replicas. See [`Carries`].
#[derive(Clone, Debug, Serialize)]
#[serde(bound = "")]
pub struct Packet<M: Machine> {
    pub(super) head: Head,
    /// Boxed, since most packets are heartbeats, which have none.
    load: Option<Box<Load<M>>>,
}

/// A message type that carries another one.
pub trait Carries<P>: From<P> {
    /// Returns the carried message.
    ///
    /// # Errors
    /// The message itself, if it does not carry one.
    fn unpack(self) -> Result<P, Self>;
}

/// The numeric fields of a raft message, under raft's names (eraftpb.proto of raft-rs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Head {
    pub kind: Kind,
    pub from: u8,
    pub to: u8,
    pub term: u64,
    pub log_term: u64,
    pub index: u64,
    pub commit: u64,
    pub commit_term: u64,
    pub reject: bool,
    pub reject_hint: u64,
    /// The read that a heartbeat confirms; 0 for none.
    pub read: u64,
}

#[derive(Clone, Debug, Serialize)]
#[serde(bound = "")]
struct Load<M: Machine> {
    entries: Vec<Item<M::Command>>,
    snapshot: Option<Snapshot<M>>,
}

/// The state of a machine after the entry at `index`.
#[derive(Clone, Debug, Serialize)]
#[serde(bound = "")]
pub(super) struct Snapshot<M: Machine> {
    pub index: u64,
    pub term: u64,
    pub machine: Shared<M>,
}

/// A value that the log shares with the messages that carry it.
#[derive(Clone, Debug)]
pub(super) struct Shared<M>(pub Rc<M>);

impl<M> Deref for Shared<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M: Clone> Shared<M> {
    pub fn clone_inner(&self) -> M {
        (*self.0).clone()
    }
}

impl<M: Serialize> Serialize for Shared<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// An entry of the log. Its bytes are a [`Proposal`]; readable formats show the command itself.
#[derive(Clone)]
struct Item<C> {
    entry: Entry,
    command: std::marker::PhantomData<C>,
}

/// A command and its origin. The origin answers the client when it applies the command, as etcd does with the ID of its
/// `InternalRaftRequest` (server/etcdserver/v3_server.go, `processInternalRaftRequestOnce`).
pub(super) type Proposal<C> = (Origin, C);

/// The server that proposed a command, and the number of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(super) struct Origin {
    pub server: u8,
    pub request: u64,
}

pub(super) fn encode<C: Command>(origin: Origin, command: &C) -> Vec<u8> {
    postcard::to_allocvec(&(origin, command)).expect("commands are plain data, which postcard can write")
}

/// The command of an entry; `None` for the empty entry at the start of a leader's term.
pub(super) fn decode<C: Command>(entry: &Entry) -> Option<Proposal<C>> {
    let read = || postcard::from_bytes(&entry.data).expect("the entry was encoded from a command");
    (!entry.data.is_empty()).then(read)
}

impl<C: Command> fmt::Debug for Item<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { index, term, .. } = self.entry;
        let command = postcard::from_bytes::<Proposal<C>>(&self.entry.data).ok();
        f.debug_struct("Entry").field("index", &index).field("term", &term).field("command", &command).finish()
    }
}

impl<C: Command> Serialize for Item<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Entry { index, term, data, .. } = &self.entry;
        if serializer.is_human_readable() {
            return (index, term, postcard::from_bytes::<Proposal<C>>(data).ok()).serialize(serializer);
        }
        (index, term, Bytes(data)).serialize(serializer)
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

macro_rules! kinds {
    ($($kind:ident = $raft:ident,)*) => {
                /// The kind of a message. The names are raft's; messages that never leave a replica are left out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub(super) enum Kind {
            $($kind,)*
                        /// "The leader thinks I have entries that I do not have." Not a message of raft.
            Forgot,
        }

        impl Kind {
            fn from_raft(raft: MessageType) -> Self {
                match raft {
                    $(MessageType::$raft => Kind::$kind,)*
                    _ => unreachable!("raft sends no local message: {raft:?}"),
                }
            }

            fn to_raft(self) -> MessageType {
                match self {
                    $(Kind::$kind => MessageType::$raft,)*
                    Kind::Forgot => unreachable!("the replica handles it without raft"),
                }
            }
        }
    };
}

kinds! {
    Propose = MsgPropose,
    Append = MsgAppend,
    AppendResponse = MsgAppendResponse,
    RequestVote = MsgRequestVote,
    RequestVoteResponse = MsgRequestVoteResponse,
    Snapshot = MsgSnapshot,
    Heartbeat = MsgHeartbeat,
    HeartbeatResponse = MsgHeartbeatResponse,
    ReadIndex = MsgReadIndex,
    ReadIndexResponse = MsgReadIndexResp,
    RequestPreVote = MsgRequestPreVote,
    RequestPreVoteResponse = MsgRequestPreVoteResponse,
    TransferLeader = MsgTransferLeader,
    TimeoutNow = MsgTimeoutNow,
}

impl<M: Machine> Packet<M> {
    /// Converts a message of raft; `snapshot` gives the state if it is a snapshot message.
    pub(super) fn new(mut message: Message, snapshot: impl FnOnce() -> Snapshot<M>) -> Self {
        let head = Head {
            kind: Kind::from_raft(message.get_msg_type()),
            from: message.from as u8,
            to: message.to as u8,
            term: message.term,
            log_term: message.log_term,
            index: message.index,
            commit: message.commit,
            commit_term: message.commit_term,
            reject: message.reject,
            reject_hint: message.reject_hint,
            read: number(&message.context),
        };
        let entries: Vec<_> = message.take_entries().into_iter().map(Item::from).collect();
        let snapshot = (head.kind == Kind::Snapshot).then(snapshot);
        let load = (!entries.is_empty() || snapshot.is_some()).then(|| Box::new(Load { entries, snapshot }));
        Packet { head, load }
    }

    pub(super) fn forgot(from: u8, to: u8, term: u64) -> Self {
        let kind = Kind::Forgot;
        let (log_term, index, commit, commit_term, reject, reject_hint, read) = (0, 0, 0, 0, false, 0, 0);
        let head = Head { kind, from, to, term, log_term, index, commit, commit_term, reject, reject_hint, read };
        Packet { head, load: None }
    }

    /// Converts back, with the state of a snapshot message.
    pub(super) fn open(self) -> (Message, Option<Snapshot<M>>) {
        let head = self.head;
        let mut message = Message::default();
        message.set_msg_type(head.kind.to_raft());
        message.from = head.from.into();
        message.to = head.to.into();
        message.term = head.term;
        message.log_term = head.log_term;
        message.index = head.index;
        message.commit = head.commit;
        message.commit_term = head.commit_term;
        message.reject = head.reject;
        message.reject_hint = head.reject_hint;
        if head.read > 0 {
            message.context = head.read.to_le_bytes().to_vec().into();
        }
        let Some(load) = self.load else { return (message, None) };
        let entries: Vec<Entry> = load.entries.into_iter().map(|item| item.entry).collect();
        message.set_entries(entries.into());
        (message, load.snapshot)
    }
}

impl<C> From<Entry> for Item<C> {
    fn from(entry: Entry) -> Self {
        Item { entry, command: std::marker::PhantomData }
    }
}

/// The ID of a read, which raft passes along as `context`.
pub(super) fn number(context: &[u8]) -> u64 {
    context.try_into().map_or(0, u64::from_le_bytes)
}
