//! Names for the nodes of a world.

use serde::Serialize;

/// A node, numbered from 0 in the order of deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

impl NodeId {
    /// Its place in a list of all nodes.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}
