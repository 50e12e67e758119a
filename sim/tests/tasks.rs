//! Tasks that run concurrently with a client's main code, and signals between the two.

mod support;

use fencepost_sim::faults::{Crash, Pause};
use fencepost_sim::{Host, Process, Signal};
use serde_json::json;
use support::*;

/// Ticks every second in a task, which the main code drops after `for_secs`.
fn ticker(for_secs: u64) -> Process<Msg, Note> {
    process(move |ctx| async move {
        let task_ctx = ctx.clone();
        let task = ctx.spawn(async move {
            for n in 1.. {
                task_ctx.sleep(secs(1)).await;
                note(&task_ctx, "tick", n);
            }
        });
        ctx.sleep(secs(for_secs)).await;
        note(&ctx, "dropped", 0);
        drop(task);
        ctx.sleep(secs(1_000)).await;
    })
}

#[test]
fn a_task_runs_until_it_is_dropped() {
    let seen = lab().client(ticker(4)).run();
    assert_eq!(seen.values("tick"), [1, 2, 3], "at 4 s, the main code runs first and drops the task");
    assert_eq!(seen.when("tick", 2), secs(2));
}

#[test]
fn a_task_is_paused_and_crashes_with_its_process() {
    let pause = fault::<Pause>(json!({}), at(ms(1_500)), node("client-1"), Some(secs(2)));
    let seen = lab().client(ticker(90)).with(pause).end_at(secs(5)).run();
    assert_eq!(seen.when("tick", 2), ms(3_500));
    let crash = fault::<Crash>(json!({ "restart_after": "10s" }), at(ms(2_500)), node("client-1"), None);
    let seen = lab().client(ticker(90)).with(crash).end_at(secs(15)).run();
    assert_eq!(seen.values("tick"), [1, 2, 1, 2], "after the restart, it counts from 1");
}

#[test]
fn a_signal_wakes_the_waiting_part_at_once() {
    let waiter = || {
        process(|ctx| async move {
            let (signal, raised_by_task, task_ctx) = (Signal::default(), Signal::default(), ctx.clone());
            let (received, reply) = (signal.clone(), raised_by_task.clone());
            let _task = ctx.spawn(async move {
                received.raised().await;
                note(&task_ctx, "heard", 0);
                task_ctx.sleep(secs(1)).await;
                reply.raise();
                task_ctx.sleep(secs(100)).await;
            });
            ctx.sleep(secs(2)).await;
            signal.raise();
            raised_by_task.raised().await;
            note(&ctx, "answered", 0);
        })
    };
    let seen = lab().client(waiter()).run();
    assert_eq!((seen.once("heard"), seen.once("answered")), (secs(2), secs(3)));
    let on_madsim = lab().client(waiter()).host(Host::MadsimNodes).run();
    assert_eq!(seen.hash, on_madsim.hash);
}
