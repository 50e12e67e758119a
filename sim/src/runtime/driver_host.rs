//! Clients that the driver polls itself. madsim's executor then has only one task and adds no overhead.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use super::client::Client;
use super::{Process, Shared};
use crate::message::Message;
use crate::node::NodeId;

pub(super) struct DriverHost<M: Message, N: Message> {
    /// Indexed by node; `None` for nodes that are not clients.
    clients: RefCell<Vec<Option<Client<M, N>>>>,
    woken: Arc<WakeFlag>,
    waker: Waker,
}

/// Set by code that wakes itself and is therefore not idle yet.
#[derive(Default)]
struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
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
        let woken = Arc::<WakeFlag>::default();
        DriverHost { clients: RefCell::new(clients), waker: Waker::from(woken.clone()), woken }
    }

    /// Runs one client until it is idle.
    pub fn run_until_idle(&self, client: NodeId) {
        let mut clients = self.clients.borrow_mut();
        let Some(client) = &mut clients[client.index()] else { return };
        loop {
            client.run(&mut Context::from_waker(&self.waker));
            if !self.woken.0.load(Ordering::Relaxed) {
                return;
            }
            self.woken.0.store(false, Ordering::Relaxed);
        }
    }

    pub fn shut_down(&self) {
        self.clients.borrow_mut().clear();
    }
}
