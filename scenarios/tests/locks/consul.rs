//! Consul and Chubby: sessions with a lock-delay, on a quorum.

use fencepost_scenarios::property::Property::{BeliefExclusion, EffectExclusion, GrantExclusion, Progress, Takeover};

use crate::lab::run;

const SEEDS: u64 = 30;

/// Buyers at work for a minute and a half, with these lines in the tables of the lock and the workload.
fn scenario(lock: &str, workload: &str, fault: &str) -> String {
    format!(
        r#"
        run_for = "200s"

        [clients]
        count = 3
        orders = 20
        think = "exp(500ms)"
        hold = "0ms..2s"
        wait_at_most = "150s"

        [lock]
        {lock}

        [workload.inventory]
        stock = 30
        {workload}

        {fault}
        "#
    )
}

const CRASHES: &str = "[[fault.crash]]\ntarget = \"client:any\"\nevery = \"exp(40s)\"\nrestart_after = \"2s\"";

#[test]
fn quiet() {
    for lock in ["consul"] {
        run(&scenario("", "", ""), lock, SEEDS).keeps_everything();
    }
}

#[test]
fn crash() {
    for lock in ["consul"] {
        let seen = run(&scenario("", "", CRASHES), lock, SEEDS);
        println!("takeover {} ms", seen.total("takeover_ns") / 1000_000);
        seen.keeps(&[GrantExclusion, BeliefExclusion, EffectExclusion, Takeover, Progress]);
    }
}
