//! Clients as tasks on separate madsim nodes, for code that needs a madsim node. The driver wakes the task that may run, and
//! sleeps until that task is idle.

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
    /// Indexed by node; `None` for nodes that are not clients.
    flags: Vec<Option<Arc<WakeFlag>>>,
    madsim_nodes: Vec<MadsimNode>,
    turn: Rc<Turn>,
}

/// The state that the driver and the tasks share.
#[derive(Default)]
struct Turn {
    /// The client that may run; `None` once it is idle.
    client: Cell<Option<NodeId>>,
    driver: RefCell<Option<Waker>>,
    /// The number of tasks that have not ended.
    tasks: Cell<usize>,
}

/// The waker of a client's code. It records that the code itself was woken, which madsim's waker does not show.
#[derive(Default)]
struct WakeFlag {
    woken: AtomicBool,
    /// Set once madsim has polled the task.
    task: OnceLock<Waker>,
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.wake_task();
    }
}

impl WakeFlag {
    /// Wakes the madsim task. A task that was never polled is already in madsim's queue.
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
        let mut flags: Vec<_> = world.borrow().nodes.iter().map(|_| None).collect();
        let mut madsim_nodes = Vec::new();
        for (node, process) in processes {
            let madsim_node = runtime.create_node().name(world.borrow().name(node)).build();
            let flag = Arc::<WakeFlag>::default();
            let client = Client::new(world, node, process);
            turn.tasks.set(turn.tasks.get() + 1);
            let waker = Waker::from(flag.clone());
            // madsim requires `Send`, but the tasks of a runtime never leave its thread.
            madsim_node.spawn(SendWrapper::new(ClientTask {
                client,
                world: world.clone(),
                flag: flag.clone(),
                waker,
                turn: turn.clone(),
            }));
            flags[node.index()] = Some(flag);
            madsim_nodes.push(madsim_node.id());
        }
        MadsimHost { flags, madsim_nodes, turn }
    }

    /// Runs one client until it is idle.
    pub async fn run_until_idle(&self, client: NodeId) {
        let Some(flag) = &self.flags[client.index()] else { return };
        self.turn.client.set(Some(client));
        flag.wake_task();
        poll_fn(|cx| {
            if self.turn.client.get().is_none() {
                return Poll::Ready(());
            }
            self.turn.driver.borrow_mut().get_or_insert_with(|| cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Kills the madsim nodes and drops the clients. madsim would otherwise leak the tasks that still wait.
    pub fn shut_down(&self, runtime: &Runtime) {
        for madsim_node in &self.madsim_nodes {
            runtime.handle().kill(*madsim_node);
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
    flag: Arc<WakeFlag>,
    /// `flag` as the waker that is passed to the code.
    waker: Waker,
    turn: Rc<Turn>,
}

impl<M: Message, N: Message> Future for ClientTask<M, N> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        task.flag.task.get_or_init(|| cx.waker().clone());
        if task.turn.client.get() == Some(task.client.ctx.node()) {
            task.take_turn();
        } else if task.flag.woken.swap(false, Ordering::Relaxed) {
            task.ask_for_turn();
        }
        Poll::Pending
    }
}

impl<M: Message, N: Message> ClientTask<M, N> {
    fn take_turn(&mut self) {
        loop {
            self.flag.woken.store(false, Ordering::Relaxed);
            self.client.run(&mut Context::from_waker(&self.waker));
            if !self.flag.woken.load(Ordering::Relaxed) {
                break;
            }
        }
        self.turn.client.set(None);
        if let Some(driver) = self.turn.driver.borrow().as_ref() {
            driver.wake_by_ref();
        }
    }

    /// Schedules code that a madsim primitive woke. It runs as an event of the kernel, so faults affect it as well.
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
