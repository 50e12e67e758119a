//! An echo service with a disk.

use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::{Caller, Env, Service, Session};

use super::{Msg, Note};

/// A server that answers pings, writes records to a disk, and notes all its calls.
#[derive(Default)]
pub struct Echo {
    disk: Disk<u64>,
    pending: Option<Caller>,
}

impl Service<Msg, Note> for Echo {
    fn on_start(&mut self, env: &mut Env<'_, Msg, Note>) {
        let records = self.disk.records().len() as u64;
        note(env, "started", records);
    }

    fn on_message(&mut self, env: &mut Env<'_, Msg, Note>, from: Caller, message: Msg) {
        match message {
            Msg::Ping(n) => {
                note(env, "got", n);
                env.reply(from, Msg::Pong(n));
            }
            Msg::Later(ms) => {
                self.pending = Some(from);
                env.set_timer(Duration::from_millis(ms), ms);
            }
            Msg::Write(n) => {
                self.disk.write(n);
                env.reply(from, Msg::Pong(n));
            }
            Msg::Sync => {
                self.disk.sync();
                env.reply(from, Msg::Pong(0));
            }
            Msg::Pong(_) => unreachable!("pongs are sent only to clients"),
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, Msg, Note>, tag: u64) {
        note(env, "timer", tag);
        if let Some(pending) = self.pending.take() {
            env.reply(pending, Msg::Pong(tag));
        }
    }

    fn on_connect(&mut self, env: &mut Env<'_, Msg, Note>, _: Session) {
        note(env, "connected", 0);
    }

    fn on_disconnect(&mut self, env: &mut Env<'_, Msg, Note>, _: Session) {
        note(env, "disconnected", 0);
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        each(&mut self.disk);
    }

    fn on_crash(&mut self, _: &mut Env<'_, Msg, Note>, disk: DiskFate) {
        self.pending = None;
        self.disk.crash(disk);
    }
}

fn note(env: &mut Env<'_, Msg, Note>, what: &'static str, value: u64) {
    let node = env.node();
    env.note(Note { node, what, value });
}
