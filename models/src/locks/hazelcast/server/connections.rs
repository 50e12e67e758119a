//! The detection of ended processes by their connections
//! (internal/server/tcp/TcpServerConnectionErrorHandler.java).

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::NodeId;

use super::HazelcastMessage;
use crate::wire::Env;

/// A member removes another one after more than this number of connection faults
/// (`hazelcast.connection.monitor.max.faults`).
const MAX_FAULTS: u32 = 3;

/// The minimal time between two counted faults, and here the interval between attempts to connect
/// (`hazelcast.connection.monitor.interval`).
const INTERVAL: Duration = Duration::from_millis(100);

/// The tags of timers from this on; the number of a node is added.
const TAG: u64 = 1 << 48;

/// The connection faults of a member since it last heard from each other one.
#[derive(Debug, Default)]
pub(super) struct Connections(BTreeMap<NodeId, Faults>);

#[derive(Debug, Default)]
struct Faults {
    count: u32,
    /// Whether another attempt to connect is scheduled.
    scheduled: bool,
}

impl Connections {
    /// Counts a fault. Returns whether the other member counts as gone now.
    pub fn fault(&mut self, env: &mut Env<'_, HazelcastMessage>, peer: NodeId) -> bool {
        let faults = self.0.entry(peer).or_default();
        if faults.scheduled || faults.count > MAX_FAULTS {
            return false;
        }
        faults.count += 1;
        if faults.count > MAX_FAULTS {
            return true;
        }
        faults.scheduled = true;
        env.set_timer(INTERVAL, TAG + u64::from(peer.0));
        false
    }

    /// Tries to connect again, if the timer is of an attempt.
    pub fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, tag: u64) -> bool {
        let Some(peer) = tag.checked_sub(TAG).and_then(|peer| u16::try_from(peer).ok()).map(NodeId) else {
            return false;
        };
        if let Some(faults) = self.0.get_mut(&peer) {
            faults.scheduled = false;
            env.send(peer, HazelcastMessage::Connect);
        }
        true
    }

    /// The other member is alive.
    pub fn heard(&mut self, peer: NodeId) {
        self.0.remove(&peer);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}
