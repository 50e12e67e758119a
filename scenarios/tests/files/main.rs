//! Scenario and suite files: valid files, errors in invalid ones, and the JSON Schema.

mod expectations;
mod mistakes;
mod mistakes_in_faults;
mod mutations;
mod schema;
mod shipped;
mod shipped_files;
mod valid;
