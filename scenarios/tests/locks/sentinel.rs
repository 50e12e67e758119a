//! `redis-sentinel`.

use fencepost_scenarios::property::Property;

use crate::lab::run;

#[test]
fn explore() {
    for (what, fault) in [
        ("quiet", ""),
        ("process", "[[fault.crash]]\ntarget = \"server:leader\"\nevery = \"exp(50s)\"\nrestart_after = \"45s\"\n"),
        ("short", "[[fault.crash]]\ntarget = \"server:leader\"\nevery = \"exp(50s)\"\nrestart_after = \"2s\"\n"),
        ("host", "[[fault.crash]]\ntarget = \"server:leader\"\nevery = \"exp(50s)\"\nrestart_after = \"45s\"\nwhat=\"host\"\n"),
        ("isolate", "[[fault.partition]]\nsplit = [[\"redis-1\", \"client-1\", \"client-2\"], [\"redis-replica-1\", \"redis-replica-2\", \"sentinel-1\", \"sentinel-2\", \"sentinel-3\", \"client-3\",\"client-4\", \"client-5\"]]\nevery = \"exp(50s)\"\nlasts = \"20s..70s\"\n"),
        ("minority", "[[fault.partition]]\nshape = \"minority\"\nevery = \"exp(50s)\"\nlasts = \"20s..70s\"\n"),
        ("majority", "[[fault.partition]]\nshape = \"majority\"\nevery = \"exp(50s)\"\nlasts = \"20s..70s\"\n"),
        ("pause", "[[fault.pause]]\ntarget = \"server:any\"\nevery = \"exp(10s)\"\nlasts = \"20s..70s\"\n"),
        ("clock", "[[fault.clock-step]]\ntarget = \"server:any\"\nevery = \"exp(10s)\"\nby = \"-20s..20s\"\n"),
    ] {
        let text = format!(
            "name = \"explore\"\nabout = \"a\"\nrun_for = \"200s\"\n[clients]\nthink = \"exp(1s)\"\nhold = \"0ms..500ms\"\nwait_at_most = \"60s\"\norders = 600\n[workload.inventory]\nstock = 600\n{fault}"
        );
        let start = std::time::Instant::now();
        let n = 40;
        let seen = run(&text, "redis-sentinel", n);
        eprintln!("== {what} {:?} per case", start.elapsed() / n as u32);
        for property in Property::ALL {
            if seen.violated(property) > 0 { eprintln!("  {} {}", property.name(), seen.violated(property)); }
        }
        eprintln!("  acked {} avail {}", seen.total("acked_orders") / u128::from(n), seen.total("availability") / u128::from(n));
    }
}
