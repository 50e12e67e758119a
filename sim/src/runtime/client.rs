//! What every host does for a client: runs its process, drops it when it crashes, makes it anew when it restarts.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use super::{Process, Shared};
use crate::ctx::Ctx;
use crate::message::Message;
use crate::node::NodeId;

pub(super) struct Client<M: Message, N: Message> {
    pub ctx: Ctx<M, N>,
    process: Process<M, N>,
    running: Option<Running>,
}

struct Running {
    incarnation: u32,
    /// Nothing once it has returned or crashed.
    code: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl<M: Message, N: Message> Client<M, N> {
    pub fn new(world: &Shared<M, N>, node: NodeId, process: Process<M, N>) -> Self {
        Client { ctx: Ctx::new(world.clone(), node), process, running: None }
    }

    /// Polls its code once.
    pub fn run(&mut self, cx: &mut Context<'_>) {
        let Some(incarnation) = self.ctx.incarnation() else {
            self.running = None;
            return;
        };
        if self.running.as_ref().is_none_or(|running| running.incarnation != incarnation) {
            // The old code goes before the new one comes.
            self.running = None;
            self.running = Some(Running { incarnation, code: Some((self.process)(self.ctx.clone())) });
        }
        let Some(running) = &mut self.running else { return };
        let ended = running.code.as_mut().is_some_and(|code| code.as_mut().poll(cx).is_ready());
        if ended || self.ctx.incarnation().is_none() {
            running.code = None;
        }
    }
}
