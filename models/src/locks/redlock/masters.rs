//! The masters of Redlock, its quorum rule, and how a port asks the masters.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use fencepost_sim::CallError;

use crate::history::ResourceId;
use crate::locks::redis_driver::{Driver, Policy, Response};
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// The quorum rule: the number of masters that must agree for the client to hold the lock, a majority of them ("at
/// least 3" of 5; redis.io, "The Redlock Algorithm", step 3).
pub(super) fn quorum(masters: usize) -> usize {
    masters / 2 + 1
}

/// A client's connections to the masters.
#[derive(Clone)]
pub(super) struct Masters {
    pub ctx: Ctx<RedisMessage>,
    pub key: ResourceId,
    pub policy: Policy,
    drivers: Vec<Driver>,
}

/// The votes of the masters so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Votes {
    /// Masters that agreed.
    pub agreed: usize,
    /// Masters that did not agree: the key has another value, or none.
    pub denied: usize,
    /// Masters without a reply.
    pub failed: usize,
}

impl Votes {
    fn count(&mut self, answer: &Result<Response, CallError>) {
        match answer {
            Ok(Response { reply: RedisMessage::Done, .. }) => self.agreed += 1,
            Ok(_) => self.denied += 1,
            Err(_) => self.failed += 1,
        }
    }
}

/// When a port stops waiting for votes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All masters replied or failed.
    All,
    /// A quorum agreed, or a quorum did not (node-redlock, `_attemptOperation`).
    Quorum,
}

type Asking<'a> = Option<Pin<Box<dyn Future<Output = Result<Response, CallError>> + 'a>>>;

impl Masters {
    pub fn new(policy: Policy, names: &[String], ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let drivers = names.iter().map(|name| Driver::new(ctx.clone(), ctx.connect(ctx.find(name)))).collect();
        Masters { ctx, key, policy, drivers }
    }

    pub fn quorum(&self) -> usize {
        quorum(self.drivers.len())
    }

    /// Sends the message to all masters at once.
    pub async fn ask_at_once(&mut self, message: &RedisMessage, step: Option<&'static str>, until: Until) -> Votes {
        let (ctx, policy, quorum) = (self.ctx.clone(), self.policy, self.quorum());
        let ask = |driver| -> Asking<'_> { Some(Box::pin(Driver::ask(driver, message, &policy, None))) };
        let mut pending: Vec<_> = self.drivers.iter_mut().map(ask).collect();
        let mut votes = Votes::default();
        poll_fn(|cx| {
            poll_all(&mut pending, &mut votes, cx);
            Poll::Ready(())
        })
        .await;
        if let Some(step) = step {
            ctx.reach_step(step).await;
        }
        poll_fn(|cx| {
            poll_all(&mut pending, &mut votes, cx);
            let decided = votes.agreed >= quorum || votes.denied + votes.failed >= quorum;
            if pending.iter().all(Option::is_none) || (until == Until::Quorum && decided) {
                return Poll::Ready(votes);
            }
            Poll::Pending
        })
        .await
    }

    /// Asks one master after another.
    pub async fn ask_in_turn(&mut self, message: &RedisMessage, step: Option<&'static str>) -> Votes {
        let (mut votes, last, policy) = (Votes::default(), self.drivers.len() - 1, self.policy);
        for (place, driver) in self.drivers.iter_mut().enumerate() {
            let answer = driver.ask(message, &policy, step.filter(|_| place == last)).await;
            votes.count(&answer);
        }
        votes
    }
}

fn poll_all(pending: &mut [Asking<'_>], votes: &mut Votes, cx: &mut Context<'_>) {
    for slot in pending {
        if let Some(Poll::Ready(answer)) = slot.as_mut().map(|asking| asking.as_mut().poll(cx)) {
            votes.count(&answer);
            *slot = None;
        }
    }
}
