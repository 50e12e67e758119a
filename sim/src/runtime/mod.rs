//! The bridge to madsim: a world runs inside its runtime, which replaces clocks, randomness and threads for whatever the
//! code of a client calls. The kernel is a plugin of that runtime, and one driver takes the next event or lets the one
//! client run whose turn it is, to quiescence, so that madsim's random ready queue never has a choice to make.
//!
//! Where a client's code lives is the [`Host`]'s affair. Code that only knows its [`Ctx`] needs no executor: the driver
//! polls it. With hash and notes on, a message then takes 4.9 times what it takes in a bare event loop, rather than 6.8
//! times on madsim nodes, and a world of ten nodes is built and taken down in 2.7 µs rather than 7.0. Code that expects
//! madsim's own runtime around it, its `spawn` and a node of its own, as the client libraries of real services do, lives
//! on madsim nodes. The same world has the same trace under both.

mod client;
mod driver_host;
mod madsim_host;
mod plugin;

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;

use madsim::Config;
use madsim::plugin::simulator;
use madsim::runtime::Runtime;
use madsim::time::TimeHandle;

use self::driver_host::DriverHost;
use self::madsim_host::MadsimHost;
use self::plugin::Kernel;
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

/// Where the code of clients lives. It changes nothing in a world but the time that it takes to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host {
    /// The driver polls it itself: fast.
    #[default]
    Driver,
    /// Each client is a task on a madsim node of its own, named after it. What its code spawns lives there too, and what
    /// wakes it from outside the kernel gives it a turn at the world's present time; native timers of madsim run out
    /// only when the world next moves on, and know nothing of the node's own clock and faults. A crash drops the
    /// client's code, but not yet what that has spawned.
    MadsimNodes,
}

/// A world under construction: nodes are added, then it runs.
pub struct Setup<M: Message, N: Message> {
    seed: u64,
    world: World<M, N>,
    processes: Vec<(NodeId, Process<M, N>)>,
    host: Host,
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
        Setup { seed, world, processes: Vec::new(), host: Host::default() }
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

    /// Says where the code of clients lives.
    pub fn host(&mut self, host: Host) {
        self.host = host;
    }

    /// Leaves out the trace hash, to measure what it costs.
    pub fn untraced(&mut self) {
        self.world.trace.stop_hashing();
    }

    /// Runs the world as `script` says, then takes it down without a trace: the code of every client is dropped, since it
    /// shares the world.
    ///
    /// # Panics
    /// If the code of a client or of a service does, with the same payload. Nothing is left behind then, either.
    pub fn run<T>(mut self, script: impl AsyncFnOnce(Driver<M, N>) -> T) -> (T, World<M, N>) {
        self.world.boot();
        let world = Rc::new(RefCell::new(self.world));
        let runtime = Runtime::with_seed_and_config(self.seed, Config::default());
        runtime.add_simulator::<Kernel<M, N>>();
        let hosting = Rc::new(Hosting::new(self.host, &world, self.processes, &runtime));
        let (shared, lent) = (world.clone(), hosting.clone());
        let script = async move {
            let kernel = simulator::<Kernel<M, N>>();
            kernel.host(&shared);
            drop(shared);
            script(Driver { world: kernel.world(), hosting: lent }).await
        };
        // Tasks that outlive a panic would keep each other and the world alive.
        let output = catch_unwind(AssertUnwindSafe(|| runtime.block_on(script)));
        hosting.take_down(&runtime);
        let output = output.unwrap_or_else(|panic| resume_unwind(panic));
        let world = Rc::try_unwrap(world).ok().expect("every client that shared the world has been dropped");
        (output, world.into_inner())
    }
}

type Shared<M, N> = Rc<RefCell<World<M, N>>>;

/// The clients of a world, where they live.
enum Hosting<M: Message, N: Message> {
    Driver(DriverHost<M, N>),
    MadsimNodes(MadsimHost),
}

impl<M: Message, N: Message> Hosting<M, N> {
    fn new(host: Host, world: &Shared<M, N>, processes: Vec<(NodeId, Process<M, N>)>, runtime: &Runtime) -> Self {
        match host {
            Host::Driver => Hosting::Driver(DriverHost::new(world, processes)),
            Host::MadsimNodes => Hosting::MadsimNodes(MadsimHost::new(world, processes, runtime)),
        }
    }

    /// Drops the code of every client.
    fn take_down(&self, runtime: &Runtime) {
        match self {
            Hosting::Driver(host) => host.take_down(),
            Hosting::MadsimNodes(host) => host.take_down(runtime),
        }
    }
}

/// Lets time pass in a world.
pub struct Driver<M: Message, N: Message> {
    world: Shared<M, N>,
    hosting: Rc<Hosting<M, N>>,
}

impl<M: Message, N: Message> Clone for Driver<M, N> {
    fn clone(&self) -> Self {
        Driver { world: self.world.clone(), hosting: self.hosting.clone() }
    }
}

impl<M: Message, N: Message> Driver<M, N> {
    /// Lets events happen up to and including `limit`, or until the observer ends the phase.
    pub async fn run_until(&self, limit: SimTime) -> Stop {
        self.world.borrow_mut().halted = false;
        let time = TimeHandle::current();
        loop {
            let (step, now) = {
                let mut world = self.world.borrow_mut();
                (world.step(limit), world.now)
            };
            let client = match step {
                Step::Stop(stop) => return stop,
                Step::Wake(client) => client,
            };
            // madsim's clock is moved along for whatever may look at it; the world's own time is the heap's.
            if let Some(behind) = now.since_start().checked_sub(time.elapsed()) {
                time.advance(behind);
            }
            match &*self.hosting {
                Hosting::Driver(host) => host.let_run(client),
                Hosting::MadsimNodes(host) => host.let_run(client).await,
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
}
