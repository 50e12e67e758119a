//! `redis-sentinel`: what a failover costs, and what helps against it.

use fencepost_scenarios::property::Property::{
    self, BeliefExclusion, EffectExclusion, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Takeover,
    ValidityExclusion,
};

use crate::lab::{Seen, run, shipped};

const LOCK: &str = "redis-sentinel";

/// Five busy clients for long enough that a failover comes and goes.
fn scenario(params: &str, faults: &str) -> String {
    format!(
        r#"
name = "sentinel"
about = "Clients of a Redis under Sentinels."
run_for = "150s"
[clients]
think = "exp(1s)"
hold = "0ms..500ms"
wait_at_most = "60s"
orders = 450
[lock.redis-sentinel]
{params}
[workload.inventory]
stock = 450
{faults}
"#
    )
}

/// Two clients are left alone with the master.
const SPLIT: &str = r#"
[[fault.partition]]
split = [
  ["redis-1", "client-1", "client-2"],
  ["redis-replica-1", "redis-replica-2", "sentinel-1", "sentinel-2", "sentinel-3", "client-3", "client-4", "client-5"],
]
every = "exp(60s)"
lasts = "20s..60s"
"#;

/// The master's stream does not get through for a while.
const LAG: &str = r#"
[[fault.partition]]
split = [["redis-1"], ["redis-replica-1", "redis-replica-2"]]
every = "exp(15s)"
lasts = "1s..10s"
"#;

const MASTER_CRASHES: &str = r#"
[[fault.crash]]
target = "redis-1"
what = "host"
every = "exp(60s)"
restart_after = "50s"
"#;

#[test]
fn explore() {
    for (what, params, faults) in [
        ("split", "", SPLIT.into()),
        ("split min 1 ttl 30", "min_replicas_to_write = 1", SPLIT.to_string()),
        ("split min 1 ttl 5", "ttl = \"5s\"\nmin_replicas_to_write = 1", SPLIT.into()),
        ("split min 0 ttl 5", "ttl = \"5s\"", SPLIT.into()),
        ("split min 1 down 5", "down_after = \"5s\"\nmin_replicas_to_write = 1", SPLIT.into()),
        ("split wait 1", "wait_replicas = 1", SPLIT.into()),
        ("lag+crash", "down_after = \"5s\"", format!("{LAG}{MASTER_CRASHES}")),
        ("lag+crash wait 1", "down_after = \"5s\"\nwait_replicas=1", format!("{LAG}{MASTER_CRASHES}")),
        ("crash", "", MASTER_CRASHES.to_string()),
        ("crash down 5", "down_after = \"5s\"", MASTER_CRASHES.to_string()),
        ("crash down 5 always", "down_after = \"5s\"\npersistence=\"always\"", MASTER_CRASHES.to_string()),
        ("permanent", "", "[[fault.crash]]\ntarget = \"redis-1\"\nat=\"30s\"\npermanent = true".to_string()),
        ("short", "", "[[fault.crash]]\ntarget = \"redis-1\"\nevery=\"exp(40s)\"\nrestart_after=\"2s\"".to_string()),
        ("clocks", "", "[[fault.clock-step]]\ntarget = \"server:any\"\nevery=\"exp(10s)\"\nby=\"-40s..40s\"".to_string()),
        ("sentinels", "", "[[fault.crash]]\ntarget = \"sentinel-1\"\nevery=\"exp(40s)\"\nrestart_after=\"20s\"\n[[fault.pause]]\ntarget=\"sentinel-2\"\nevery=\"exp(20s)\"\nlasts=\"1s..40s\"\n[[fault.partition]]\nsplit=[[\"sentinel-1\"],[\"sentinel-2\",\"sentinel-3\",\"redis-1\"]]\nevery=\"exp(20s)\"\nlasts=\"1s..40s\"\n".to_string()),
    ] {
        let start = std::time::Instant::now();
        let n = 40;
        let seen = run(&scenario(params, &faults), LOCK, n);
        eprintln!("== {what} {:?} per case", start.elapsed() / n as u32);
        for property in Property::ALL {
            if seen.violated(property) > 0 { eprintln!("  {} {}", property.name(), seen.violated(property)); }
        }
        let mut waits: Vec<_> = seen.outcomes.iter().map(|o| o.metric("longest_wait_ns").unwrap_or(0) / 100_000_000).collect();
        waits.sort_unstable();
        eprintln!("  acked {} events {} avail {} overlaps {} waits {:?}", seen.total("acked_orders") / u128::from(n), seen.outcomes.iter().map(|o| o.events).sum::<u64>() / n, seen.outcomes.iter().map(|o| o.metric("availability_ppm").unwrap_or(-1)).sum::<i64>() / n as i64, seen.total("grant_overlaps"), (waits[0], waits[10], waits[20], waits[30], waits[38], waits[39]));
    }
    let _: Option<Seen> = None;
    let _ = (
        BeliefExclusion,
        EffectExclusion,
        GrantExclusion,
        NoLostUpdate,
        OwnerRelease,
        Progress,
        Takeover,
        ValidityExclusion,
        shipped,
    );
}
