//! Scenario and suite files: what parses, what is refused and how, and the JSON Schema.

mod expectations;
mod mistakes;
mod mistakes_in_faults;
mod mutations;
mod right;
mod schema;
mod shipped;
mod shipped_files;
