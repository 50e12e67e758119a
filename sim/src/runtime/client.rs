//! The part common to all hosts: runs a client's code, drops it after a crash and creates it again after a restart.

use std::task::Context;

use super::{Process, Shared};
use crate::ctx::Ctx;
use crate::message::Message;
use crate::node::NodeId;
use crate::task::{Code, Spawned};

pub(super) struct Client<M: Message, N: Message> {
    pub ctx: Ctx<M, N>,
    process: Process<M, N>,
    running: Option<Running>,
}

struct Running {
    incarnation: u32,
    /// `None` once the main code has returned.
    code: Option<Code>,
    /// The spawned tasks, in order.
    tasks: Vec<Spawned>,
}

impl<M: Message, N: Message> Client<M, N> {
    pub fn new(world: &Shared<M, N>, node: NodeId, process: Process<M, N>) -> Self {
        Client { ctx: Ctx::new(world.clone(), node), process, running: None }
    }

    /// Polls the client's code once.
    pub fn run(&mut self, cx: &mut Context<'_>) {
        let Some(incarnation) = self.ctx.incarnation() else {
            self.running = None;
            return;
        };
        if self.running.as_ref().is_none_or(|running| running.incarnation != incarnation) {
            // The old code is dropped before the new one is created.
            self.running = None;
            let code = Some((self.process)(self.ctx.clone()));
            self.running = Some(Running { incarnation, code, tasks: Vec::new() });
        }
        let Some(running) = &mut self.running else { return };
        running.run(&self.ctx, cx);
        if self.ctx.incarnation().is_none() {
            self.running = None;
        }
    }
}

impl Running {
    /// Polls the main code, its tasks, and the tasks that they spawn.
    fn run<M: Message, N: Message>(&mut self, ctx: &Ctx<M, N>, cx: &mut Context<'_>) {
        if self.code.as_mut().is_some_and(|code| code.as_mut().poll(cx).is_ready()) {
            self.code = None;
        }
        let mut polled = 0;
        loop {
            self.tasks.extend(ctx.take_spawned());
            let Some(task) = self.tasks.get_mut(polled) else { break };
            if task.alive.get() && task.code.as_mut().poll(cx).is_ready() {
                task.alive.set(false);
            }
            polled += 1;
        }
        self.tasks.retain(|task| task.alive.get());
    }
}
