//! What each lock keeps and breaks, found by the ordinary fault generators.

#[path = "../behaviour/lab.rs"]
#[allow(dead_code)]
mod lab;

mod consul;
