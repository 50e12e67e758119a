//! The command line with the standard locks, faults and workloads.

use std::process::ExitCode;

use fencepost::Registry;

fn main() -> ExitCode {
    fencepost::main(Registry::standard())
}
