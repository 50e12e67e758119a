//! A builder of test worlds, and the record of their runs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::schedule::{FaultPlan, Schedule};
use fencepost_sim::stream::Streams;
use fencepost_sim::time::SimTime;
use fencepost_sim::{
    Clocks, Host, InjectionState, NetworkConfig, NodeId, Observer, Occurrence, Process, Service, Setup, Stop,
    TraceHash, Transport, World,
};

use super::{Echo, Msg, Note, secs};

/// A world under construction, with echo servers by default.
pub struct Lab {
    pub seed: u64,
    pub network: NetworkConfig,
    pub plans: Vec<FaultPlan>,
    pub clients: Vec<Process<Msg, Note>>,
    pub servers: usize,
    /// Additional servers, by name.
    pub extra: Vec<(String, Box<dyn Service<Msg, Note>>)>,
    /// When all faults heal; `end_at` is when the world ends.
    pub heal_at: Duration,
    pub end_at: Duration,
    pub most_events: u64,
    pub watched: bool,
    pub host: Host,
}

/// The record of a run.
pub struct Seen {
    pub notes: Vec<(SimTime, Note)>,
    /// All trace events with their times, as JSON.
    pub lines: Vec<(SimTime, String)>,
    pub clocks: Vec<(SimTime, Vec<(u64, i64)>)>,
    pub hash: TraceHash,
    pub events: u64,
    pub injections: Vec<InjectionState>,
    pub stop: Stop,
    pub world: World<Msg, Note>,
}

/// Returns a world with one server `server-1` and a latency of exactly 1 ms each way.
pub fn lab() -> Lab {
    Lab {
        seed: 1,
        network: NetworkConfig { latency: "1ms".parse().unwrap(), loss_per_million: 0, transport: Transport::Stream },
        plans: Vec::new(),
        clients: Vec::new(),
        servers: 1,
        extra: Vec::new(),
        heal_at: secs(100),
        end_at: secs(200),
        most_events: 1_000_000,
        watched: false,
        host: Host::default(),
    }
}

impl Lab {
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    pub fn latency(mut self, latency: &str) -> Self {
        self.network.latency = latency.parse().unwrap();
        self
    }

    pub fn datagram(mut self) -> Self {
        self.network.transport = Transport::Datagram;
        self
    }

    pub fn servers(mut self, count: usize) -> Self {
        self.servers = count;
        self
    }

    /// Adds `client-1`, `client-2` and so on.
    pub fn client(mut self, process: Process<Msg, Note>) -> Self {
        self.clients.push(process);
        self
    }

    pub fn with(mut self, plan: FaultPlan) -> Self {
        self.plans.push(plan);
        self
    }

    pub fn heal_at(mut self, heal_at: Duration) -> Self {
        self.heal_at = heal_at;
        self.end_at = self.end_at.max(heal_at);
        self
    }

    pub fn end_at(mut self, end_at: Duration) -> Self {
        self.end_at = end_at;
        self
    }

    pub fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    pub fn host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    pub fn run(self) -> Seen {
        let log = Rc::new(RefCell::new(Log { watching: self.watched, ..Log::default() }));
        let streams = Streams::new(self.seed);
        let (heal_at, end_at) = (SimTime(0) + self.heal_at, SimTime(0) + self.end_at);
        let schedule = Schedule::draw(&self.plans.into(), &streams, heal_at);
        let mut setup = Setup::new(self.seed, self.network, schedule, Box::new(Watcher(log.clone())), self.most_events);
        setup.host(self.host);
        for (index, process) in self.clients.into_iter().enumerate() {
            setup.client(format!("client-{}", index + 1), process);
        }
        for index in 0..self.servers {
            setup.server(format!("server-{}", index + 1), Box::new(Echo::default()));
        }
        for (name, service) in self.extra {
            setup.server(name, service);
        }
        let (stop, mut world) = setup.run(async |driver| {
            let stop = driver.run_until(heal_at.min(end_at)).await;
            if stop != Stop::Reached || end_at <= heal_at {
                return stop;
            }
            driver.heal();
            driver.run_until(end_at).await
        });
        let (hash, events) = world.trace();
        let injections = world.injections().to_vec();
        let log = std::mem::take(&mut *log.borrow_mut());
        Seen { notes: log.notes, lines: log.lines, clocks: log.clocks, hash, events, injections, stop, world }
    }
}

impl Seen {
    /// Returns the times and numbers of the notes with this word.
    pub fn all(&self, what: &str) -> Vec<(Duration, u64)> {
        let matching = self.notes.iter().filter(|(_, note)| note.what == what);
        matching.map(|(time, note)| (time.since_start(), note.value)).collect()
    }

    pub fn values(&self, what: &str) -> Vec<u64> {
        self.all(what).into_iter().map(|(_, value)| value).collect()
    }

    /// Returns the time of the only note with this word.
    pub fn once(&self, what: &str) -> Duration {
        let all = self.all(what);
        assert_eq!(all.len(), 1, "`{what}` was noted {} times: {:?}", all.len(), self.words());
        all[0].0
    }

    /// Returns the time of the only note with this word and number.
    pub fn when(&self, what: &str, value: u64) -> Duration {
        let all: Vec<_> = self.all(what).into_iter().filter(|(_, other)| *other == value).collect();
        assert_eq!(all.len(), 1, "`{what} {value}` was noted {} times: {:?}", all.len(), self.words());
        all[0].0
    }

    /// Returns the time of this node's only note with this word and number.
    pub fn when_at(&self, node: u16, what: &str, value: u64) -> Duration {
        let matching = |note: &Note| note.node.0 == node && note.what == what && note.value == value;
        let all: Vec<_> = self.notes.iter().filter(|(_, note)| matching(note)).collect();
        assert_eq!(all.len(), 1, "{:?}", self.words());
        all[0].0.since_start()
    }

    pub fn words(&self) -> Vec<(Duration, &'static str, u64)> {
        self.notes.iter().map(|(time, note)| (time.since_start(), note.what, note.value)).collect()
    }

    pub fn fired(&self) -> Vec<bool> {
        self.injections.iter().map(|state| state.fired).collect()
    }

    pub fn touched(&self) -> Vec<bool> {
        self.injections.iter().map(|state| state.touched).collect()
    }
}

#[derive(Default)]
struct Log {
    notes: Vec<(SimTime, Note)>,
    lines: Vec<(SimTime, String)>,
    clocks: Vec<(SimTime, Vec<(u64, i64)>)>,
    watching: bool,
}

struct Watcher(Rc<RefCell<Log>>);

impl Observer<Msg, Note> for Watcher {
    fn note(&mut self, at: SimTime, note: &Note) -> bool {
        self.0.borrow_mut().notes.push((at, note.clone()));
        note.what == "halt"
    }

    fn sees_occurrences(&self) -> bool {
        self.0.borrow().watching
    }

    fn occurrence(&mut self, at: SimTime, what: &Occurrence<'_, Msg, Note>, clocks: &Clocks) {
        let mut log = self.0.borrow_mut();
        log.lines.push((at, serde_json::to_string(what).unwrap()));
        let first_two = (0..2).map(|index| clocks.reading(NodeId(index)));
        log.clocks.push((at, first_two.map(|(mono, wall)| (mono.0, wall.0)).collect()));
    }
}
