//! The trace: all events of a world in order, as canonical bytes. Its hash identifies a run.

use std::fmt;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::faults::FaultInfo;
use crate::node::NodeId;
use crate::schedule::Placement;
use crate::time::SimTime;

/// The version of the meaning of seeds, raised when a change of the kernel or its streams changes it. Only hashes with the
/// same layout are comparable.
pub const LAYOUT: u32 = 2;

/// One event of a world. `M` is the type of its messages, `N` the type of its notes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's doc comment explains its fields")]
pub enum Occurrence<'a, M: ?Sized, N> {
    /// A message was delivered to a running node.
    Delivered { from: NodeId, to: NodeId, sent_ns: u64, message: &'a M },
    /// A datagram was lost.
    Lost { from: NodeId, to: NodeId, message: &'a M },
    /// A server accepted a connection.
    Connected { client: NodeId, server: NodeId },
    /// A node learned that its peer refused the connection.
    Refused { node: NodeId, peer: NodeId },
    /// A node learned that its connection to a peer was reset.
    Reset { node: NodeId, peer: NodeId },
    /// A timer of the node expired.
    Timer { node: NodeId },
    /// A client continued at a step after a pause.
    Continued { node: NodeId },
    /// A client reached a step.
    Step { node: NodeId, step: &'a str },
    /// An injection of a fault began.
    FaultBegan { fault: &'a str, kind: &'static FaultInfo, nodes: &'a [NodeId], links: &'a [(NodeId, NodeId)] },
    /// An injection of a fault ended. The placement is not part of the trace.
    FaultEnded {
        fault: &'a str,
        #[serde(skip)]
        placement: &'a Placement,
    },
    /// A node crashed.
    Crashed { node: NodeId },
    /// A node restarted.
    Restarted { node: NodeId },
    /// All faults were healed.
    Healed,
    /// A node recorded a note.
    Note(&'a N),
    /// A server became leader or stopped being leader, by its own belief.
    Led { node: NodeId, leads: bool },
}

/// The hash of a trace, printed as `xxh3:` and 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceHash(pub u128);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "xxh3:{:032x}", self.0)
    }
}

/// Hashes events as they happen.
pub struct Trace {
    hash: Xxh3,
    pending: Vec<u8>,
    events: u64,
    /// Off only in benchmarks that measure the cost of hashing.
    hashing: bool,
}

/// The batch size of hashing, in bytes. A few large updates are cheaper than many small ones.
const BATCH: usize = 4096;

impl Default for Trace {
    fn default() -> Self {
        Trace { hash: Xxh3::new(), pending: Vec::with_capacity(BATCH + 512), events: 0, hashing: true }
    }
}

impl Trace {
    /// Adds an event: its true time, followed by the event in postcard's documented wire format.
    pub fn record<M: Serialize, N: Serialize>(&mut self, at: SimTime, occurrence: &Occurrence<'_, M, N>) {
        self.events += 1;
        if !self.hashing {
            return;
        }
        self.pending.extend_from_slice(&at.0.to_le_bytes());
        postcard::serialize_with_flavor(occurrence, Bytes(&mut self.pending))
            .expect("messages and notes are plain data, which postcard can always serialize");
        if self.pending.len() >= BATCH {
            self.hash.update(&self.pending);
            self.pending.clear();
        }
    }

    /// Stops hashing: later events are only counted.
    pub fn stop_hashing(&mut self) {
        self.hashing = false;
    }

    /// Returns the number of events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Returns the hash over all events so far.
    pub fn hash(&mut self) -> TraceHash {
        self.hash.update(&self.pending);
        self.pending.clear();
        TraceHash(self.hash.digest128())
    }
}

/// The longest number in postcard's format, in bytes.
const SHORT: usize = 10;

struct Bytes<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Bytes<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        // Most are numbers of a few bytes, for which a call to memcpy costs more than the copy itself.
        if data.len() <= SHORT {
            data.iter().for_each(|byte| self.0.push(*byte));
        } else {
            self.0.extend_from_slice(data);
        }
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
