//! Where a lock deploys its servers.

use fencepost_sim::{Message, NodeId, Service, Setup};

use crate::history::Event;
use crate::wire::Wire;

/// The servers of one case, while they are being deployed.
pub struct Site<'a, L: Message> {
    setup: &'a mut Setup<Wire<L>, Event>,
}

impl<'a, L: Message> Site<'a, L> {
    /// The site that a world under construction offers.
    pub fn new(setup: &'a mut Setup<Wire<L>, Event>) -> Self {
        Site { setup }
    }

    /// Deploys a server of the lock under this name.
    pub fn server(&mut self, name: impl Into<String>, service: impl Service<Wire<L>, Event>) -> NodeId {
        self.setup.server(name, Box::new(service))
    }
}
