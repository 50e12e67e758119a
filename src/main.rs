//! The command line with everything that fencepost ships.

use std::process::ExitCode;

use fencepost::Registry;

fn main() -> ExitCode {
    fencepost::main(Registry::standard())
}
