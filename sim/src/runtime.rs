//! The bridge to madsim: a world runs inside its runtime, which replaces clocks, randomness and threads for whatever the
//! code of a client calls. One driver takes the next event or polls the one client whose turn it is, to quiescence, so
//! that madsim's random ready queue never has a choice to make; nor does it cost anything, since it holds one task only.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use madsim::Config;
use madsim::runtime::Runtime;
use madsim::time::TimeHandle;

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

    /// Runs the world as `script` says, then takes it down without a trace: the code of every client is dropped, since it
    /// shares the world.
    pub fn run<T>(self, script: impl AsyncFnOnce(Driver<M, N>) -> T) -> (T, World<M, N>) {
        let runtime = Runtime::with_seed_and_config(self.seed, Config::default());
        let mut world = self.world;
        world.boot();
        let world = Rc::new(RefCell::new(world));
        let driver = Driver::new(world.clone(), self.processes);
        let output = runtime.block_on(async {
            let output = script(driver.clone()).await;
            driver.clients.borrow_mut().clear();
            output
        });
        drop(driver);
        let world = Rc::try_unwrap(world).ok().expect("every client that shared the world has been dropped");
        (output, world.into_inner())
    }
}

type Shared<M, N> = Rc<RefCell<World<M, N>>>;

/// By node; nothing where the node is no client.
type Clients<M, N> = Vec<Option<Client<M, N>>>;

/// Lets time pass in a world.
pub struct Driver<M: Message, N: Message> {
    world: Shared<M, N>,
    clients: Rc<RefCell<Clients<M, N>>>,
    again: Arc<Again>,
}

impl<M: Message, N: Message> Clone for Driver<M, N> {
    fn clone(&self) -> Self {
        Driver { world: self.world.clone(), clients: self.clients.clone(), again: self.again.clone() }
    }
}

/// Set by code that wakes itself, and so is not at rest yet.
#[derive(Default)]
struct Again(AtomicBool);

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<M: Message, N: Message> Driver<M, N> {
    fn new(world: Shared<M, N>, processes: Vec<(NodeId, Process<M, N>)>) -> Self {
        let mut clients: Vec<_> = world.borrow().nodes.iter().map(|_| None).collect();
        for (node, process) in processes {
            let ctx = Ctx::new(world.clone(), node);
            clients[node.index()] = Some(Client { ctx, process, running: None });
        }
        Driver { world, clients: Rc::new(RefCell::new(clients)), again: Arc::default() }
    }

    /// Lets events happen up to and including `limit`, or until the observer ends the phase.
    pub async fn run_until(&self, limit: SimTime) -> Stop {
        self.world.borrow_mut().halted = false;
        let time = TimeHandle::current();
        let waker = Waker::from(self.again.clone());
        loop {
            let (step, now) = {
                let mut world = self.world.borrow_mut();
                (world.step(limit), world.now)
            };
            match step {
                Step::Stop(stop) => return stop,
                Step::Wake(client) => self.let_run(client, now, &time, &waker),
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

    /// Lets one client run until it has come to rest. madsim's clock is moved along first, for whatever may look at it;
    /// the world's own time is the heap's.
    fn let_run(&self, client: NodeId, now: SimTime, time: &TimeHandle, waker: &Waker) {
        if let Some(behind) = now.since_start().checked_sub(time.elapsed()) {
            time.advance(behind);
        }
        let mut clients = self.clients.borrow_mut();
        let Some(client) = &mut clients[client.index()] else { return };
        loop {
            client.run(&mut Context::from_waker(waker));
            if !self.again.0.load(Ordering::Relaxed) {
                return;
            }
            self.again.0.store(false, Ordering::Relaxed);
        }
    }
}

/// One client: runs its process, drops it when it crashes, makes it anew when it restarts.
struct Client<M: Message, N: Message> {
    ctx: Ctx<M, N>,
    process: Process<M, N>,
    running: Option<Running>,
}

struct Running {
    incarnation: u32,
    /// Nothing once it has returned or crashed.
    code: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl<M: Message, N: Message> Client<M, N> {
    fn run(&mut self, cx: &mut Context<'_>) {
        let Some(incarnation) = self.ctx.incarnation() else {
            self.running = None;
            return;
        };
        if self.running.as_ref().is_none_or(|running| running.incarnation != incarnation) {
            // The old code goes before the new one comes.
            self.running = None;
            self.running = Some(Running { incarnation, code: Some((self.process)(self.ctx.clone())) });
        }
        let Some(running) = &mut self.running else { return };
        let ended = running.code.as_mut().is_some_and(|code| code.as_mut().poll(cx).is_ready());
        if ended || self.ctx.incarnation().is_none() {
            running.code = None;
        }
    }
}
