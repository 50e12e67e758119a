//! The bridge to madsim: the kernel is a plugin of its runtime, clients are async tasks on its nodes, and one driver
//! task lets one of them run at a time, to quiescence, so that madsim's random ready queue never has a choice to make.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use madsim::Config;
use madsim::plugin::{Simulator, simulator};
use madsim::rand::GlobalRng;
use madsim::runtime::{Handle, Runtime};
use madsim::time::TimeHandle;
use send_wrapper::SendWrapper;

use crate::ctx::Ctx;
use crate::kernel::{Step, Stop};
use crate::message::Message;
use crate::net::NetworkConfig;
use crate::node::{Node, NodeId, Role};
use crate::observer::Observer;
use crate::schedule::Schedule;
use crate::service::Service;
use crate::stream::Streams;
use crate::time::SimTime;
use crate::world::World;

/// The code of a client process. It is made anew whenever the process starts.
pub type Process<M, N> = Box<dyn FnMut(Ctx<M, N>) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A world under construction: nodes are added, then it runs.
pub struct Setup<M: Message, N: Message> {
    seed: u64,
    world: World<M, N>,
    processes: Vec<(NodeId, Process<M, N>)>,
}

impl<M: Message, N: Message> Setup<M, N> {
    /// An empty world. It ends with [`Stop::Exhausted`] after `most_events`.
    pub fn new(
        seed: u64,
        network: NetworkConfig,
        schedule: Schedule,
        observer: Box<dyn Observer<M, N>>,
        most_events: u64,
    ) -> Self {
        let world = World::new(Streams::new(seed), network, schedule, observer, most_events);
        Setup { seed, world, processes: Vec::new() }
    }

    /// Adds a client.
    pub fn client(&mut self, name: impl Into<String>, process: Process<M, N>) -> NodeId {
        let node = self.world.add(Node::new(name.into(), Role::Client, None));
        self.processes.push((node, process));
        node
    }

    /// Adds a server of the lock.
    pub fn server(&mut self, name: impl Into<String>, service: Box<dyn Service<M, N>>) -> NodeId {
        self.world.add(Node::new(name.into(), Role::Server, Some(service)))
    }

    /// Adds what the lock guards.
    pub fn store(&mut self, name: impl Into<String>, service: Box<dyn Service<M, N>>) -> NodeId {
        self.world.add(Node::new(name.into(), Role::Store, Some(service)))
    }

    /// Says that the lock's first server is what the lock guards, too.
    pub fn store_is_first_server(&mut self) {
        self.world.store_is_first_server();
    }

    /// Leaves out the trace hash, to measure what it costs.
    pub fn untraced(&mut self) {
        self.world.trace.stop_hashing();
    }

    /// Runs the world as `script` says, then takes it down without a trace: every client task is dropped before the
    /// runtime is, since madsim would leak those that still wait.
    pub fn run<T>(self, script: impl AsyncFnOnce(Driver<M, N>) -> T) -> (T, World<M, N>) {
        let runtime = Runtime::with_seed_and_config(self.seed, Config::default());
        runtime.add_simulator::<Kernel<M, N>>();
        let processes = self.processes;
        let mut world = self.world;
        world.boot();
        let (output, world) = runtime.block_on(async {
            let kernel = simulator::<Kernel<M, N>>();
            let world = Rc::new(RefCell::new(world));
            *kernel.world.borrow_mut() = Some(world.clone());
            let driver =
                Driver { world, waker: Rc::new(RefCell::new(None)), tasks: Rc::new(RefCell::new(Tasks::default())) };
            driver.start(processes).await;
            let output = script(driver.clone()).await;
            driver.stop_tasks().await;
            *kernel.world.borrow_mut() = None;
            (output, driver.world)
        });
        let world = Rc::try_unwrap(world).ok().expect("every task that shared the world has been dropped");
        (output, world.into_inner())
    }
}

type Shared<M, N> = Rc<RefCell<World<M, N>>>;

/// The kernel as madsim knows it.
struct Kernel<M: Message, N: Message> {
    world: SendWrapper<RefCell<Option<Shared<M, N>>>>,
}

impl<M: Message, N: Message> Simulator for Kernel<M, N> {
    fn new(_: &GlobalRng, _: &TimeHandle, _: &Config) -> Self {
        Kernel { world: SendWrapper::new(RefCell::new(None)) }
    }
}

/// Lets time pass in a world.
pub struct Driver<M: Message, N: Message> {
    world: Shared<M, N>,
    /// Wakes the driver when the task that it let run has come to rest.
    waker: Rc<RefCell<Option<Waker>>>,
    tasks: Rc<RefCell<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    at_rest: usize,
    stopping: bool,
}

impl<M: Message, N: Message> Clone for Driver<M, N> {
    fn clone(&self) -> Self {
        Driver { world: self.world.clone(), waker: self.waker.clone(), tasks: self.tasks.clone() }
    }
}

impl<M: Message, N: Message> Driver<M, N> {
    /// Lets events happen up to and including `limit`, or until the observer ends the phase.
    pub async fn run_until(&self, limit: SimTime) -> Stop {
        self.world.borrow_mut().halted = false;
        let time = TimeHandle::current();
        loop {
            let step = self.world.borrow_mut().step(limit);
            match step {
                Step::Stop(stop) => return stop,
                Step::Wake(client) => self.let_run(client, &time).await,
            }
        }
    }

    /// True time.
    pub fn now(&self) -> SimTime {
        self.world.borrow().now
    }

    /// Heals all faults.
    pub fn heal(&self) {
        self.world.borrow_mut().heal();
    }

    /// Wakes one client's task and waits until it has come to rest. madsim's clock is moved along first, for whatever
    /// may look at it; the world's own time is the heap's.
    async fn let_run(&self, client: NodeId, time: &TimeHandle) {
        let (now, waker) = {
            let world = self.world.borrow();
            (world.now.since_start(), world.nodes[client.index()].waker.clone())
        };
        if let Some(behind) = now.checked_sub(time.elapsed()) {
            time.advance(behind);
        }
        let before = self.tasks.borrow().at_rest;
        if let Some(waker) = waker {
            waker.wake();
            self.wait_for(|tasks| tasks.at_rest != before).await;
        }
    }

    async fn wait_for(&self, condition: impl Fn(&Tasks) -> bool) {
        poll_fn(|cx| {
            if condition(&self.tasks.borrow()) {
                return Poll::Ready(());
            }
            self.waker.borrow_mut().get_or_insert_with(|| cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Makes a madsim node and a task for each client. Each task only says that it is there; it begins when the kernel
    /// lets it.
    async fn start(&self, processes: Vec<(NodeId, Process<M, N>)>) {
        let handle = Handle::current();
        let count = processes.len();
        for (node, process) in processes {
            let name = self.world.borrow().name(node).to_string();
            let task = ClientTask { driver: self.clone(), node, process, running: None };
            handle.create_node().name(name).build().spawn(SendWrapper::new(task));
        }
        self.wait_for(|tasks| tasks.at_rest >= count).await;
    }

    async fn stop_tasks(&self) {
        self.tasks.borrow_mut().stopping = true;
        let wakers: Vec<Waker> = self.world.borrow().nodes.iter().filter_map(|node| node.waker.clone()).collect();
        let done = self.tasks.borrow().at_rest + wakers.len();
        wakers.into_iter().for_each(Waker::wake);
        self.wait_for(|tasks| tasks.at_rest >= done).await;
        // The last task has said that it is done, but is dropped only after that.
        madsim::task::yield_now().await;
    }
}

/// The task of one client: runs its process, drops it when it crashes, makes it anew when it restarts.
struct ClientTask<M: Message, N: Message> {
    driver: Driver<M, N>,
    node: NodeId,
    process: Process<M, N>,
    running: Option<Running>,
}

struct Running {
    incarnation: u32,
    /// Nothing once it has returned or crashed.
    code: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl<M: Message, N: Message> Future for ClientTask<M, N> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        let stopping = task.driver.tasks.borrow().stopping;
        if stopping {
            task.running = None;
            task.driver.world.borrow_mut().nodes[task.node.index()].waker = None;
        } else {
            task.run(cx);
        }
        task.driver.tasks.borrow_mut().at_rest += 1;
        if let Some(waker) = task.driver.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
        if stopping { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<M: Message, N: Message> ClientTask<M, N> {
    fn run(&mut self, cx: &mut Context<'_>) {
        if self.driver.world.borrow().nodes[self.node.index()].waker.is_none() {
            self.driver.world.borrow_mut().nodes[self.node.index()].waker = Some(cx.waker().clone());
            return;
        }
        let (up, incarnation) = self.state();
        if !up {
            self.running = None;
            return;
        }
        if self.running.as_ref().is_none_or(|running| running.incarnation != incarnation) {
            let code = Some((self.process)(Ctx::new(self.driver.world.clone(), self.node)));
            self.running = Some(Running { incarnation, code });
        }
        let running = self.running.as_mut().expect("it was just started");
        let ended = running.code.as_mut().is_some_and(|code| code.as_mut().poll(cx).is_ready());
        let (still_up, _) = self.state();
        if (ended || !still_up)
            && let Some(running) = &mut self.running
        {
            running.code = None;
        }
    }

    /// Whether the process is up, and its incarnation.
    fn state(&self) -> (bool, u32) {
        let world = self.driver.world.borrow();
        let node = &world.nodes[self.node.index()];
        (node.up, node.incarnation)
    }
}
