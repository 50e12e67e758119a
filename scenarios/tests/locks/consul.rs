//! Consul and Chubby: sessions with a lock-delay, on a quorum.

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
fn explore() {
    let pause = |target: &str, every: &str, lasts: &str| {
        format!("[[fault.pause]]\ntarget = \"{target}\"\nevery = \"{every}\"\nlasts = \"{lasts}\"")
    };
    let cut = |split: &str, every: &str, lasts: &str| {
        format!("[[fault.partition]]\n{split}\nevery = \"{every}\"\nlasts = \"{lasts}\"")
    };
    let crash = |target: &str, every: &str| {
        format!("[[fault.crash]]\ntarget = \"{target}\"\nevery = \"{every}\"\nrestart_after = \"3s\"")
    };
    let step = "[[fault.clock-step]]\ntarget = \"server:any\"\nevery = \"exp(10s)\"\nby = \"-60s..60s\"".to_string();
    let cases = [
        ("quiet", String::new(), ""),
        ("crashes", CRASHES.to_string(), ""),
        ("client pause", pause("client:any", "exp(30s)", "40s..70s"), ""),
        ("client pause fenced", pause("client:any", "exp(30s)", "40s..70s"), "guard = \"fence-reads\""),
        ("leader crash", crash("server:leader", "exp(40s)"), ""),
        ("server crash", crash("server:any", "exp(20s)"), ""),
        (
            "isolate leader",
            "[[fault.loss]]\ntarget = \"server:leader\"\nrate = 1.0\nevery = \"exp(60s)\"\nlasts = \"20s..50s\""
                .to_string(),
            "",
        ),
        ("minority", cut("shape = \"minority\"", "exp(60s)", "20s"), ""),
        ("steps", step.clone(), ""),
        ("clients cut", cut("shape = \"clients-from-lock\"", "exp(60s)", "20s..70s"), ""),
        ("client crash+leader crash", format!("{CRASHES}\n{}", crash("server:leader", "exp(40s)")), ""),
    ];
    for (name, fault, workload) in cases {
        for lock in ["chubby"] {
            let text = scenario("", workload, &fault);
            if let Err(wrong) = fencepost_scenarios::file::scenario(
                &fencepost_scenarios::registry::Registry::standard(),
                "x.toml",
                &text,
            ) {
                println!("{name}: {wrong:?}");
                continue;
            }
            let start = std::time::Instant::now();
            let seen = run(&text, lock, SEEDS);
            let bad: Vec<_> = fencepost_scenarios::property::Property::ALL
                .iter()
                .filter(|p| seen.violated(**p) > 0)
                .map(|p| (p.name(), seen.violated(*p)))
                .collect();
            println!("{lock} {name}: {bad:?} acked {} in {:?}", seen.total("acked_orders"), start.elapsed());
        }
    }
}
