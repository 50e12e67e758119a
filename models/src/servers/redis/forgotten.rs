//! The ground truth of grants that the data set lost.
//!
//! A grant was given until its deadline, whether or not the server remembers: until then its Record goes on, and whoever
//! is granted the lock meanwhile holds it beside the first (property `grant-exclusion`).
//!
//! A release by the forgotten holder finds nothing, and ends its Record all the same: the holder wants no more of it, and
//! there is nothing left of it anywhere that a deadline could still be waiting for. Nobody else's grant is blamed or
//! ended by noting that: `owner-release` compares the grant that ended with the grant that it was released for, which
//! are the same here; and `grant-exclusion` has already seen whatever overlapped until then.

use fencepost_sim::{NodeId, WallDeadline};

use super::{Keyspace, RedisMessage, Truth};
use crate::history::{Cause, Event, GrantId};
use crate::wire::Env;

/// The grants that were lost and whose holders have not released them since.
#[derive(Clone, Debug, Default)]
pub struct Forgotten {
    grants: Vec<GrantId>,
}

impl Forgotten {
    /// The data set became another one: what it lost goes on until its deadline.
    pub fn compare(&mut self, env: &mut Env<'_, RedisMessage>, before: &Keyspace, after: &Keyspace) {
        for (grant, expires) in before.grants() {
            if after.grants().all(|(kept, _)| kept != grant) {
                self.forget(env, grant, expires);
            }
        }
    }

    fn forget(&mut self, env: &mut Env<'_, RedisMessage>, grant: GrantId, expires: Option<WallDeadline>) {
        self.grants.push(grant);
        if let Some(deadline) = expires {
            let left = deadline.at - env.wall();
            env.note_after(left, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
        }
    }

    /// A command was carried out: its sender may have released a forgotten grant, or got it again.
    pub fn settle(&mut self, env: &mut Env<'_, RedisMessage>, command: &RedisMessage, truth: &[Truth]) {
        if self.grants.is_empty() {
            return;
        }
        self.grants.retain(|grant| !truth.contains(&Truth::Granted(*grant)));
        let Some(by) = command.releases() else { return };
        if let Some(place) = self.grants.iter().position(|grant| *grant == by) {
            self.grants.swap_remove(place);
            env.note(ended(env.node(), by));
        }
    }
}

fn ended(server: NodeId, grant: GrantId) -> Event {
    Event::Ended { server, grant, cause: Cause::Released(grant) }
}
