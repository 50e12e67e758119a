//! Nested acquires: a holder that acquires again.

use std::time::Duration;

use fencepost_models::history::{Ack, Event};
use fencepost_models::{Attempt, Grant, Lock, Reentrancy};

use super::{Client, ack};
use crate::file::Clients;

/// The longest wait for a nested acquire: long enough to distinguish a lock that refuses from one that waits.
const NESTED_WAIT: Duration = Duration::from_secs(2);

/// Returns how long a holder tries a nested acquire, by its monotonic clock.
pub(crate) fn nested_wait(clients: &Clients) -> Duration {
    NESTED_WAIT.min(clients.wait_at_most)
}

impl<L: Lock> Client<L> {
    /// Performs the scenario's nested acquires, and stops at the first one that fails.
    pub(super) async fn acquire_nested(&mut self, outer: &Grant) -> Vec<Grant> {
        let mut inner = Vec::new();
        if L::INFO.reentrancy == Reentrancy::NotApplicable {
            return inner;
        }
        let client = self.ctx.node();
        for _ in 0..self.shared.clients.nested {
            let nested = self.next_attempt();
            let give_up = self.ctx.mono() + nested_wait(&self.shared.clients);
            self.ctx.note(Event::NestedInvoked { client, grant: outer.id, nested });
            let acquired = self.lock.acquire(Attempt { id: nested, give_up }).await;
            let same = acquired.as_ref().is_ok_and(|grant| grant.id == outer.id);
            self.ctx.note(Event::NestedReturned { client, grant: outer.id, nested, ack: ack(&acquired), same });
            match acquired {
                Ok(grant) => inner.push(grant),
                Err(_) => break,
            }
        }
        inner
    }

    /// Releases the nested grants, innermost first.
    pub(super) async fn release_nested(&mut self, inner: Vec<Grant>) {
        let client = self.ctx.node();
        for nested in inner.into_iter().rev() {
            self.ctx.note(Event::NestedReleaseInvoked { client, grant: nested.id });
            let ack: Ack = ack(&self.lock.release(&nested).await);
            self.ctx.note(Event::NestedReleaseReturned { client, grant: nested.id, ack });
        }
    }
}
