//! Clients as tasks on madsim nodes of their own, for code that needs a madsim node. The driver wakes the task whose turn
//! it is, and sleeps until the task returns the turn.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use madsim::runtime::Runtime;
use madsim::task::NodeId as MadsimNode;
use send_wrapper::SendWrapper;

use super::client::Client;
use super::{Process, Shared};
use crate::event_queue::Pending;
use crate::message::Message;
use crate::node::NodeId;

pub(super) struct MadsimHost {
    /// By node; nothing where the node is no client.
    bells: Vec<Option<Arc<Bell>>>,
    homes: Vec<MadsimNode>,
    turn: Rc<Turn>,
}

/// What the driver and the tasks share.
#[derive(Default)]
struct Turn {
    /// The client whose turn it is; nothing once it is idle.
    whose: Cell<Option<NodeId>>,
    driver: RefCell<Option<Waker>>,
    /// The number of tasks that have not ended.
    tasks: Cell<usize>,
}

/// The waker of a client's code. Waking a task does not show who did so; a bell remembers that it was rung.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    /// Set once madsim has polled the task.
    task: OnceLock<Waker>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Relaxed);
        self.wake_task();
    }
}

impl Bell {
    /// A task that was never polled is in madsim's queue already.
    fn wake_task(&self) {
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}

impl MadsimHost {
    pub fn new<M: Message, N: Message>(
        world: &Shared<M, N>,
        processes: Vec<(NodeId, Process<M, N>)>,
        runtime: &Runtime,
    ) -> Self {
        let turn = Rc::<Turn>::default();
        let mut bells: Vec<_> = world.borrow().nodes.iter().map(|_| None).collect();
        let mut homes = Vec::new();
        for (node, process) in processes {
            let home = runtime.create_node().name(world.borrow().name(node)).build();
            let bell = Arc::<Bell>::default();
            let client = Client::new(world, node, process);
            turn.tasks.set(turn.tasks.get() + 1);
            let ring = Waker::from(bell.clone());
            // madsim requires `Send`, but the tasks of a runtime never leave its thread.
            home.spawn(SendWrapper::new(ClientTask {
                client,
                world: world.clone(),
                bell: bell.clone(),
                ring,
                turn: turn.clone(),
            }));
            bells[node.index()] = Some(bell);
            homes.push(home.id());
        }
        MadsimHost { bells, homes, turn }
    }

    /// Runs one client until it is idle.
    pub async fn run_until_idle(&self, client: NodeId) {
        let Some(bell) = &self.bells[client.index()] else { return };
        self.turn.whose.set(Some(client));
        bell.wake_task();
        poll_fn(|cx| {
            if self.turn.whose.get().is_none() {
                return Poll::Ready(());
            }
            self.turn.driver.borrow_mut().get_or_insert_with(|| cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Kills the nodes, since madsim would leak the tasks that still wait on them, and drops the clients.
    pub fn shut_down(&self, runtime: &Runtime) {
        for home in &self.homes {
            runtime.handle().kill(*home);
        }
        runtime.block_on(async {
            while self.turn.tasks.get() > 0 {
                madsim::task::yield_now().await;
            }
        });
    }
}

/// The task of one client.
struct ClientTask<M: Message, N: Message> {
    client: Client<M, N>,
    world: Shared<M, N>,
    bell: Arc<Bell>,
    /// The bell that wakes the code.
    ring: Waker,
    turn: Rc<Turn>,
}

impl<M: Message, N: Message> Future for ClientTask<M, N> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        task.bell.task.get_or_init(|| cx.waker().clone());
        if task.turn.whose.get() == Some(task.client.ctx.node()) {
            task.take_turn();
        } else if task.bell.rung.swap(false, Ordering::Relaxed) {
            task.ask_for_turn();
        }
        Poll::Pending
    }
}

impl<M: Message, N: Message> ClientTask<M, N> {
    fn take_turn(&mut self) {
        loop {
            self.bell.rung.store(false, Ordering::Relaxed);
            self.client.run(&mut Context::from_waker(&self.ring));
            if !self.bell.rung.load(Ordering::Relaxed) {
                break;
            }
        }
        self.turn.whose.set(None);
        if let Some(driver) = self.turn.driver.borrow().as_ref() {
            driver.wake_by_ref();
        }
    }

    /// A madsim primitive woke the code. The code runs when the kernel schedules it, so that faults act on it, too.
    fn ask_for_turn(&self) {
        let node = self.client.ctx.node();
        let Some(incarnation) = self.client.ctx.incarnation() else { return };
        let mut world = self.world.borrow_mut();
        let now = world.now;
        world.schedule_at(now, Pending::Continue { node, incarnation, wait: None });
    }
}

impl<M: Message, N: Message> Drop for ClientTask<M, N> {
    fn drop(&mut self) {
        self.turn.tasks.set(self.turn.tasks.get() - 1);
    }
}
