//! Renders made-up but plausible results, to look at: `cargo run -p fencepost-reports --example sample -- DIR [22]`.

use std::path::PathBuf;

use fencepost_reports::terminal::{Terminal, tables};

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("which directory?")?);
    let all = arguments.next().is_some();
    let report = synthetic::report(if all { &synthetic::ALL_LOCKS } else { &synthetic::LOCKS }, 200);
    report.write(&dir)?;
    let suite: Vec<_> = report.cells.iter().filter(|(header, _)| header.dose.is_none()).cloned().collect();
    println!("{}", tables(&suite, Terminal { width: 120, colour: true }));
    let one: Vec<_> = report.cells.iter().filter(|(header, _)| header.scenario == "gc-pause").cloned().collect();
    println!("{}", tables(&one, Terminal { width: 100, colour: false }));
    Ok(())
}
