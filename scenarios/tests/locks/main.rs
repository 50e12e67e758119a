//! What each lock shows and what it must not, found by the ordinary fault generators.

#[path = "../behaviour/lab.rs"]
#[allow(dead_code)]
mod lab;
mod sql;
