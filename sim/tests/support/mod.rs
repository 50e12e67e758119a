//! Support for kernel tests: an echo service with a disk, clients that ping it, and an observer that records everything.

#![allow(dead_code, unused_imports, reason = "each test file uses only part of this module")]

mod echo;
mod lab;

use std::future::Future;
use std::time::Duration;

use fencepost_sim::faults::FaultKind;
use fencepost_sim::schedule::{Aim, FaultPlan, OnStep, Target, Trigger};
use fencepost_sim::{CallError, Ctx, NodeId, Process};
use serde::Serialize;

pub use self::echo::Echo;
pub use self::lab::{Lab, lab};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Msg {
    Ping(u64),
    Pong(u64),
    /// Answered when a timer of this many milliseconds expires.
    Later(u64),
    Write(u64),
    Sync,
}

/// A note of a node: a word and a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    pub node: NodeId,
    pub what: &'static str,
    pub value: u64,
}

pub type Client = Ctx<Msg, Note>;

/// Records a note of the client.
pub fn note(ctx: &Client, what: &'static str, value: u64) {
    ctx.note(Note { node: ctx.node(), what, value });
}

/// Records how the call for ping `n` ended: `pong`, or the error.
pub fn note_outcome(ctx: &Client, n: u64, outcome: &Result<Msg, CallError>) {
    let what = match outcome {
        Ok(Msg::Pong(answer)) if *answer == n => "pong",
        Ok(_) => "wrong",
        Err(CallError::Refused) => "refused",
        Err(CallError::Reset) => "reset",
        Err(CallError::TimedOut) => "timed out",
    };
    note(ctx, what, n);
}

/// Creates a client process from an async function.
pub fn process<F: Future<Output = ()> + 'static>(mut code: impl FnMut(Client) -> F + 'static) -> Process<Msg, Note> {
    Box::new(move |ctx| Box::pin(code(ctx)))
}

/// Pings `server` every `gap` by the client's clock, one at a time, until `count` pings are answered or failed.
pub fn pinger(server: &'static str, count: u64, gap: Duration, within: Duration) -> Process<Msg, Note> {
    process(move |ctx| async move {
        let conn = ctx.connect(ctx.find(server));
        for n in 0..count {
            ctx.sleep(gap).await;
            note(&ctx, "sent", n);
            let outcome = ctx.call(conn, Msg::Ping(n), within).await;
            note_outcome(&ctx, n, &outcome);
        }
    })
}

/// Sends all pings at once on one connection, after a warm-up ping that opens it, then waits for the replies in order.
pub fn burster(server: &'static str, count: u64, at: Duration, gap: Duration) -> Process<Msg, Note> {
    process(move |ctx| async move {
        let conn = ctx.connect(ctx.find(server));
        let _ = ctx.call(conn, Msg::Ping(1_000_000), secs(1)).await;
        let begun = ctx.mono();
        ctx.sleep(at.saturating_sub(begun.since_zero())).await;
        let mut calls = Vec::new();
        for n in 0..count {
            note(&ctx, "sent", n);
            calls.push(ctx.call(conn, Msg::Ping(n), secs(3_600)));
            if !gap.is_zero() {
                ctx.sleep(gap).await;
            }
        }
        for (n, call) in calls.into_iter().enumerate() {
            let outcome = call.await;
            note_outcome(&ctx, n as u64, &outcome);
        }
    })
}

/// Clock readings as durations.
pub trait SinceZero {
    fn since_zero(self) -> Duration;
}

impl SinceZero for fencepost_sim::time::Mono {
    fn since_zero(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Creates a fault from the keys of a scenario, named after its kind.
pub fn fault<F: FaultKind>(keys: serde_json::Value, trigger: Trigger, aim: Aim, lasts: Option<Duration>) -> FaultPlan {
    let fault: F = serde_json::from_value(keys).unwrap();
    FaultPlan {
        name: F::INFO.name.to_string(),
        kind: F::INFO,
        fault: std::sync::Arc::new(fault),
        trigger,
        aim,
        lasts: lasts.map(fencepost_sim::units::Dist::Constant),
    }
}

pub fn at(when: Duration) -> Trigger {
    Trigger::At(when)
}

pub fn on(client: &str, step: &str, nth: u32, after: Duration) -> Trigger {
    Trigger::On(OnStep { client: Some(client.to_string()), step: step.to_string(), nth, after })
}

pub fn node(name: &str) -> Aim {
    Aim::Nodes(Target::Named(name.to_string()))
}

/// Returns the link between two nodes, both ways.
pub fn link(from: &str, to: &str) -> Aim {
    Aim::Between { from: Target::Named(from.to_string()), to: Target::Named(to.to_string()), both_ways: true }
}

pub fn one_way(from: &str, to: &str) -> Aim {
    Aim::Between { from: Target::Named(from.to_string()), to: Target::Named(to.to_string()), both_ways: false }
}

/// Returns the aim of a fault that chooses its own placement.
pub fn own() -> Aim {
    Aim::Own
}
