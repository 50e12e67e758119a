//! Simulated clusters with a replicated list, and their invariants.

use std::rc::Rc;
use std::time::Duration;

use fencepost_models::guarded::StoreConfig;
use fencepost_models::history::Event;
use fencepost_models::servers::raft::{Config, deploy};
use fencepost_models::{Site, Wire};
use fencepost_sim::faults::FaultKind;
use fencepost_sim::schedule::{Aim, FaultPlan, Schedule, Target, Trigger};
use fencepost_sim::stream::Streams;
use fencepost_sim::{NetworkConfig, Observer, Setup, SimTime, TraceHash, Transport};

use crate::counter::{Counter, List, Msg, Seen, Shared, Work, client};

pub struct Cluster {
    pub seed: u64,
    pub servers: usize,
    pub config: Config,
    pub plans: Vec<FaultPlan>,
    pub clients: Vec<Work>,
    pub heal_at: Duration,
    pub end_at: Duration,
}

/// Returns a cluster in which each server has a client that adds and reads.
pub fn cluster(seed: u64, servers: usize) -> Cluster {
    let work = |n: usize| Work {
        server: format!("server-{}", n + 1),
        from: 1_000_000 * n as u32,
        pause: ms(20),
        adds: true,
        reads: true,
    };
    Cluster {
        seed,
        servers,
        config: Config::default(),
        plans: Vec::new(),
        clients: (0..servers).map(work).collect(),
        heal_at: secs(40),
        end_at: secs(60),
    }
}

impl Cluster {
    pub fn with(mut self, plan: FaultPlan) -> Self {
        let name = format!("{} {}", plan.name, self.plans.len());
        self.plans.push(FaultPlan { name, ..plan });
        self
    }

    pub fn run(self) -> (Seen, TraceHash) {
        let seen = Shared::default();
        seen.borrow_mut().lists = vec![Vec::new(); self.servers];
        let streams = Streams::new(self.seed);
        let (heal_at, end_at) = (SimTime(0) + self.heal_at, SimTime(0) + self.end_at);
        let schedule = Schedule::draw(&self.plans.into(), &streams, heal_at);
        let latency = "1ms..3ms".parse().unwrap();
        let network = NetworkConfig { latency, loss_per_million: 0, transport: Transport::Stream };
        let mut setup = Setup::new(self.seed, network, schedule, Box::new(GrantRecorder(seen.clone())), 100_000_000);
        for (n, work) in self.clients.into_iter().enumerate() {
            setup.client(format!("client-{}", n + 1), client(work, seen.clone()));
        }
        let names: Vec<String> = (1..=self.servers).map(|n| format!("server-{n}")).collect();
        deploy(&mut Site::new(&mut setup, StoreConfig::default()), &names, self.config, List::default(), |index| {
            Counter { seen: seen.clone(), index }
        });
        let (_, mut world) = setup.run(async |driver| {
            driver.run_until(heal_at.min(end_at)).await;
            if heal_at < end_at {
                driver.heal();
                driver.run_until(end_at).await;
            }
        });
        let hash = world.trace().0;
        drop(world);
        (Rc::into_inner(seen).unwrap().into_inner(), hash)
    }
}

impl Seen {
    /// Asserts that no term has two leaders, that every acknowledged number is at its position on every server, and
    /// that no entry was noted twice.
    pub fn assert_invariants(&self) {
        let mut terms: Vec<u64> = self.leaders.iter().map(|(_, term)| *term).collect();
        terms.sort_unstable();
        assert!(terms.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", self.leaders);
        let longest = self.lists.iter().max_by_key(|list| list.len()).unwrap();
        for list in &self.lists {
            assert!(longest.starts_with(list), "the lists of the servers diverge");
        }
        for (at, number, position) in &self.added {
            assert_eq!(longest.get(*position as usize - 1), Some(number), "acknowledged at {at:?}");
        }
        let noted: Vec<u32> = self.granted.iter().map(|(_, number)| *number).collect();
        assert!(noted.starts_with(longest), "each entry must be noted once, in order");
    }

    /// Returns the number of reads that miss a number acknowledged before their request. Acknowledgements follow the
    /// order of the list, so comparing with the last hundred suffices.
    pub fn stale_reads(&self) -> usize {
        let acked_length = |asked: Duration| {
            let before = self.added.partition_point(|(acked, ..)| *acked < asked);
            self.added[..before].iter().rev().take(100).map(|(.., position)| *position).max().unwrap_or(0)
        };
        self.reads.iter().filter(|(asked, _, length)| *length < acked_length(*asked)).count()
    }

    /// Returns the number of additions acknowledged between `from` and `to`.
    pub fn added_between(&self, from: Duration, to: Duration) -> usize {
        self.added.iter().filter(|(at, ..)| (from..to).contains(at)).count()
    }
}

struct GrantRecorder(Shared);

impl Observer<Wire<Msg>, Event> for GrantRecorder {
    fn note(&mut self, at: SimTime, note: &Event) -> bool {
        if let Event::Granted { grant, .. } = note {
            self.0.borrow_mut().granted.push((at, grant.0));
        }
        false
    }
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub fn fault<F: FaultKind>(keys: serde_json::Value, trigger: Trigger, aim: Aim, lasts: Option<&str>) -> FaultPlan {
    let fault: F = serde_json::from_value(keys).unwrap();
    let lasts = lasts.map(|lasts| lasts.parse().unwrap());
    let fault = std::sync::Arc::new(fault);
    FaultPlan { name: F::INFO.name.to_string(), kind: F::INFO, fault, trigger, aim, lasts }
}

pub fn at(when: Duration) -> Trigger {
    Trigger::At(when)
}

pub fn every(gap: &str) -> Trigger {
    Trigger::Every(gap.parse().unwrap())
}

pub fn named(name: &str) -> Aim {
    Aim::Nodes(Target::Named(name.to_string()))
}
