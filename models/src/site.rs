//! The site on which a lock deploys its servers.

use fencepost_sim::{Message, Service, Setup};

use crate::guarded::StoreConfig;
use crate::history::Event;
use crate::wire::Wire;

/// The servers of one case, during deployment.
pub struct Site<'a, L: Message> {
    data: StoreConfig,
    servers: Servers<'a, L>,
}

enum Servers<'a, L: Message> {
    /// The servers are added to a world under construction.
    Deployed(&'a mut Setup<Wire<L>, Event>),
    /// Only the names of the servers are recorded.
    Named(Vec<String>),
}

impl<'a, L: Message> Site<'a, L> {
    /// Creates the site of a world under construction. `data` is the data that the lock guards.
    pub fn new(setup: &'a mut Setup<Wire<L>, Event>, data: StoreConfig) -> Self {
        Site { data, servers: Servers::Deployed(setup) }
    }

    /// Creates a site that records the names of the servers and drops the servers.
    pub(crate) fn recording_names() -> Self {
        Site { data: StoreConfig::default(), servers: Servers::Named(Vec::new()) }
    }

    /// Returns the recorded names, in the order of deployment.
    pub(crate) fn into_names(self) -> Vec<String> {
        match self.servers {
            Servers::Deployed(_) => Vec::new(),
            Servers::Named(names) => names,
        }
    }

    /// Returns the guarded data, for locks that live in their store.
    pub fn data(&self) -> &StoreConfig {
        &self.data
    }

    /// Deploys a server of the lock with this name.
    pub fn server(&mut self, name: impl Into<String>, service: impl Service<Wire<L>, Event>) {
        match &mut self.servers {
            Servers::Deployed(setup) => {
                setup.server(name, Box::new(service));
            }
            Servers::Named(names) => names.push(name.into()),
        }
    }
}
