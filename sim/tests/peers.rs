//! Unsolicited messages from servers to clients and to each other.

mod support;

use std::time::Duration;

use fencepost_sim::disk::DiskFate;
use fencepost_sim::faults::{Crash, Loss, Partition};
use fencepost_sim::{CallError, Caller, Env, NodeId, Process, Service, Session};
use serde_json::json;
use support::*;

/// A server that forwards every ping to `to`, and pushes the answers to the client that pinged last.
struct Relay {
    to: &'static str,
    client: Option<Session>,
    sends_every: Option<Duration>,
    sent: u64,
}

fn relay(to: &'static str) -> Box<Relay> {
    Box::new(Relay { to, client: None, sends_every: None, sent: 0 })
}

/// Creates a server that sends a number to `to` every `gap`.
fn beacon(to: &'static str, gap: Duration) -> Box<Relay> {
    Box::new(Relay { to, client: None, sends_every: Some(gap), sent: 0 })
}

impl Service<Msg, Note> for Relay {
    fn on_start(&mut self, env: &mut Env<'_, Msg, Note>) {
        if let Some(gap) = self.sends_every {
            env.set_timer(gap, 0);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, Msg, Note>, _: u64) {
        self.sent += 1;
        env.send(env.find(self.to), Msg::Ping(self.sent));
        self.on_start(env);
    }

    fn on_message(&mut self, env: &mut Env<'_, Msg, Note>, from: Caller, message: Msg) {
        self.client = Some(from.session());
        if message == Msg::Sync {
            env.close(from.session());
        } else {
            env.send(env.find(self.to), message);
        }
    }

    fn on_peer(&mut self, env: &mut Env<'_, Msg, Note>, from: NodeId, message: Msg) {
        let node = env.node();
        let Msg::Ping(n) = message else { return };
        env.note(Note { node, what: "from peer", value: n });
        match self.client {
            Some(client) => env.push(client, Msg::Pong(n)),
            None if self.sends_every.is_none() => env.send(from, Msg::Ping(n + 100)),
            None => {}
        }
    }

    fn on_connect(&mut self, env: &mut Env<'_, Msg, Note>, _: Session) {
        let node = env.node();
        env.note(Note { node, what: "connected", value: 0 });
    }

    fn on_crash(&mut self, _: &mut Env<'_, Msg, Note>, _: DiskFate) {}
}

/// Sends one message to `a`, and records pushed messages until the connection breaks.
fn listener(message: Msg) -> Process<Msg, Note> {
    process(move |ctx| {
        let message = message.clone();
        async move {
            let conn = ctx.connect(ctx.find("a"));
            let _ = ctx.call(conn, message, secs(1)).await;
            loop {
                match ctx.receive(conn).await {
                    Ok(Msg::Pong(n)) => note(&ctx, "pushed", n),
                    Ok(_) => note(&ctx, "wrong", 0),
                    Err(error) => return note_outcome(&ctx, 0, &Err(error)),
                }
            }
        }
    })
}

#[test]
fn a_pushed_message_reaches_a_client_that_receives_later() {
    let mut lab = lab().servers(0).client(listener(Msg::Ping(7)));
    lab.extra = vec![("a".into(), relay("b")), ("b".into(), relay("a"))];
    let seen = lab.run();
    // The client's own call times out after a second; the push has arrived after 2 + 2 + 3 ms.
    assert_eq!(seen.when("pushed", 107), secs(1));
    assert_eq!(seen.all("connected").len(), 1, "peers are not clients");
}

#[test]
fn a_client_learns_that_the_server_closed_the_connection() {
    let mut lab = lab().servers(0).client(listener(Msg::Sync));
    lab.extra = vec![("a".into(), relay("b")), ("b".into(), relay("a"))];
    let seen = lab.run();
    assert_eq!(seen.once("reset"), ms(4), "the call fails, and so does the pending receive");
    assert_eq!(CallError::Reset.to_string(), "connection reset");
}

#[test]
fn servers_reconnect_after_a_cut() {
    let cut = fault::<Partition>(json!({ "split": [["a"], ["b"]] }), at(secs(10)), own(), Some(secs(30)));
    let mut lab = lab().servers(0).with(cut).end_at(secs(60));
    lab.extra = vec![("a".into(), beacon("b", secs(1))), ("b".into(), beacon("nobody", secs(1_000)))];
    let seen = lab.run();
    let heard = seen.values("from peer");
    assert!(heard.starts_with(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), "{heard:?}");
    assert!(heard.is_sorted(), "{heard:?}");
    assert!(!heard.contains(&20), "a connection without progress is dropped with its pending messages");
    let after = seen.all("from peer").into_iter().map(|(at, _)| at).find(|at| *at > secs(15)).unwrap();
    assert!(after < secs(46), "it was dialled repeatedly: {after:?}");
    assert_eq!(heard.last(), Some(&59));
}

#[test]
fn servers_reconnect_after_heavy_loss() {
    for seed in 0..10 {
        let keys = json!({ "rate": 0.8 });
        let loss = fault::<Loss>(keys, at(secs(10)), link("a", "b"), Some(secs(30)));
        let mut lab = lab().seed(seed).servers(0).with(loss).end_at(secs(60));
        lab.extra = vec![("a".into(), beacon("b", ms(100))), ("b".into(), beacon("nobody", secs(1_000)))];
        let seen = lab.run();
        let heard = seen.all("from peer");
        // Retransmissions would back off for longer than this, so the connection is dropped.
        let after = heard.iter().filter(|(at, _)| *at > secs(46)).count();
        assert!(after > 130, "seed {seed}: {after}");
        assert!(seen.values("from peer").is_sorted());
    }
}

#[test]
fn servers_reconnect_after_a_crash() {
    for what in ["process", "host"] {
        let crash = fault::<Crash>(json!({ "what": what, "restart_after": "10s" }), at(ms(9_500)), node("b"), None);
        let mut lab = lab().servers(0).with(crash).end_at(secs(60));
        lab.extra = vec![("a".into(), beacon("b", secs(1))), ("b".into(), beacon("nobody", secs(1_000)))];
        let heard = lab.run().values("from peer");
        assert!(heard.contains(&9) && heard.contains(&30) && heard.is_sorted(), "{what}: {heard:?}");
    }
}
