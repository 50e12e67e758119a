//! smoke
use fencepost_scenarios::{cell::Cell, file, property::Property, registry::Registry, results::CellResult, run::Job};
use std::ops::ControlFlow;
use std::sync::Arc;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let n: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let registry = Registry::standard();
    let text = std::fs::read_to_string(&path).unwrap();
    let s = match file::scenario(&registry, &path, &text) {
        Ok(s) => Arc::new(s),
        Err(p) => {
            for p in p {
                println!("{p}");
            }
            return;
        }
    };
    let cells = Cell::all(&registry, &s, None, &std::env::args().skip(3).collect::<Vec<_>>());
    for cell in cells {
        if !cell.header.applicable {
            println!("{}: n/a {:?}", cell.header.lock, cell.header.reason);
            continue;
        }
        let name = cell.header.lock.clone();
        let job = Job { cells: vec![cell], seeds: 0..n, threads: 2, shard: None, done: vec![] };
        let mut r = CellResult::default();
        let t = std::process::Command::new("date").arg("+%s%N").output().unwrap().stdout;
        let t0: u128 = String::from_utf8_lossy(&t).trim().parse().unwrap();
        job.run(|_, seed, o| {
            r.add(seed, o);
            ControlFlow::Continue(())
        })
        .unwrap();
        let t = std::process::Command::new("date").arg("+%s%N").output().unwrap().stdout;
        let t1: u128 = String::from_utf8_lossy(&t).trim().parse().unwrap();
        print!(
            "{name:18} {:5.2} ms/case {:7} ev/case ",
            (t1 - t0) as f64 / 1e6 / n as f64 * 1.0,
            r.events() / n as u128
        );
        for p in Property::ALL {
            let c = r.property(p);
            if c.is_applicable() {
                print!("{}:{}v{}u ", &p.name()[..p.name().len().min(14)], c.violated, c.unknown)
            }
        }
        for m in ["acked_orders", "oversold_units", "lost_updates", "abandoned_orders", "unknown_orders", "attempts"] {
            if let Some(t) = r.metric(m) {
                print!("{m}={} ", t.total() / n as u128)
            }
        }
        println!("touched={:?}", r.faults().iter().map(|f| (f.planned, f.fired, f.touched)).collect::<Vec<_>>());
    }
}
