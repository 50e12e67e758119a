//! What each lock does under random faults: what it must show, and what it must not.

mod hazelcast;
#[path = "../behaviour/lab.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use other parts")]
mod lab;
