//! The trace: all events of a world in order, as canonical bytes under a hash that identifies a run.

use std::fmt;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::faults::FaultInfo;
use crate::node::NodeId;
use crate::schedule::Placement;
use crate::time::SimTime;

/// Raised whenever the kernel or its streams change what a seed means. Hashes are compared only under the same layout.
pub const LAYOUT: u32 = 1;

/// One event of a world. `M` is the type of its messages, `N` the type of its notes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Occurrence<'a, M: ?Sized, N> {
    /// A message was delivered to a running node.
    Delivered { from: NodeId, to: NodeId, sent_ns: u64, message: &'a M },
    /// A datagram was lost.
    Lost { from: NodeId, to: NodeId, message: &'a M },
    /// A connection was made, as its server sees it.
    Connected { client: NodeId, server: NodeId },
    /// A node learned that nothing listens at its peer.
    Refused { node: NodeId, peer: NodeId },
    /// A node learned that its peer closed their connection.
    Reset { node: NodeId, peer: NodeId },
    /// A timer of the node expired.
    Timer { node: NodeId },
    /// A client continued after a pause, at a step.
    Continued { node: NodeId },
    /// A client reached a step.
    #[serde(rename = "mark")]
    Step {
        node: NodeId,
        #[serde(rename = "mark")]
        step: &'a str,
    },
    /// An injection of a fault began.
    FaultBegan { fault: &'a str, kind: &'static FaultInfo, nodes: &'a [NodeId], links: &'a [(NodeId, NodeId)] },
    /// An injection of a fault ended. Where it ended is not part of the trace.
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
    /// A server started or stopped leading the others, by its own belief.
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
    /// Off only in benchmarks, to see what hashing costs.
    hashing: bool,
}

/// Bytes are hashed in batches of this size, since few large updates are cheaper than many small ones.
const BATCH: usize = 4096;

impl Default for Trace {
    fn default() -> Self {
        Trace { hash: Xxh3::new(), pending: Vec::with_capacity(BATCH + 512), events: 0, hashing: true }
    }
}

impl Trace {
    /// Adds an event. Its bytes are the true time, then postcard's documented wire format of the event.
    pub fn record<M: Serialize, N: Serialize>(&mut self, at: SimTime, occurrence: &Occurrence<'_, M, N>) {
        self.events += 1;
        if !self.hashing {
            return;
        }
        self.pending.extend_from_slice(&at.0.to_le_bytes());
        postcard::serialize_with_flavor(occurrence, Bytes(&mut self.pending))
            .expect("messages and notes are plain data, which postcard can always write");
        if self.pending.len() >= BATCH {
            self.hash.update(&self.pending);
            self.pending.clear();
        }
    }

    /// Only counts events from now on.
    pub fn stop_hashing(&mut self) {
        self.hashing = false;
    }

    /// The number of events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hash over all events so far.
    pub fn hash(&mut self) -> TraceHash {
        self.hash.update(&self.pending);
        self.pending.clear();
        TraceHash(self.hash.digest128())
    }
}

/// The longest number in postcard's format takes 10 bytes.
const SHORT: usize = 10;

struct Bytes<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Bytes<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        // Most are numbers of a few bytes, for which a call of memcpy costs more than the copying.
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
