//! Clients that the driver polls itself. madsim's executor then has a single task, which costs nothing.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use super::client::Client;
use super::{Process, Shared};
use crate::message::Message;
use crate::node::NodeId;

pub(super) struct DriverHost<M: Message, N: Message> {
    /// By node; nothing where the node is no client.
    clients: RefCell<Vec<Option<Client<M, N>>>>,
    again: Arc<Again>,
    waker: Waker,
}

/// Set by code that wakes itself and so is not idle yet.
#[derive(Default)]
struct Again(AtomicBool);

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<M: Message, N: Message> DriverHost<M, N> {
    pub fn new(world: &Shared<M, N>, processes: Vec<(NodeId, Process<M, N>)>) -> Self {
        let mut clients: Vec<_> = world.borrow().nodes.iter().map(|_| None).collect();
        for (node, process) in processes {
            clients[node.index()] = Some(Client::new(world, node, process));
        }
        let again = Arc::<Again>::default();
        DriverHost { clients: RefCell::new(clients), waker: Waker::from(again.clone()), again }
    }

    /// Runs one client until it is idle.
    pub fn run_until_idle(&self, client: NodeId) {
        let mut clients = self.clients.borrow_mut();
        let Some(client) = &mut clients[client.index()] else { return };
        loop {
            client.run(&mut Context::from_waker(&self.waker));
            if !self.again.0.load(Ordering::Relaxed) {
                return;
            }
            self.again.0.store(false, Ordering::Relaxed);
        }
    }

    pub fn shut_down(&self) {
        self.clients.borrow_mut().clear();
    }
}
