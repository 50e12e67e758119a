//! The ground truth of grants that the data set lost.
//!
//! A grant lasts until its deadline, whether or not the server still knows it. Whoever acquires the lock meanwhile
//! holds it together with the first holder (property `grant-exclusion`).
//!
//! A release by the first holder finds nothing at the server, and ends the grant all the same: the holder no longer
//! uses it. The event affects no other grant: `owner-release` compares the ended grant with the released one, which are
//! the same here, and `grant-exclusion` has already seen any overlap.

use fencepost_sim::{NodeId, WallDeadline};

use super::{GrantChange, Keyspace, RedisMessage};
use crate::history::{Cause, Event, GrantId};
use crate::wire::Env;

/// Lost grants that their holders have not released since.
#[derive(Clone, Debug, Default)]
pub struct LostGrants {
    grants: Vec<GrantId>,
}

impl LostGrants {
    /// Records the grants in `before` that `after` lacks. They end at their deadlines.
    pub fn record_lost(&mut self, env: &mut Env<'_, RedisMessage>, before: &Keyspace, after: &Keyspace) {
        for (grant, expires) in before.grants() {
            if after.grants().all(|(kept, _)| kept != grant) {
                self.add(env, grant, expires);
            }
        }
    }

    fn add(&mut self, env: &mut Env<'_, RedisMessage>, grant: GrantId, expires: Option<WallDeadline>) {
        self.grants.push(grant);
        if let Some(deadline) = expires {
            let left = deadline.at - env.wall();
            env.note_after(left, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
        }
    }

    /// Handles a command: its sender may have released a lost grant, or acquired it again.
    pub fn on_command(&mut self, env: &mut Env<'_, RedisMessage>, command: &RedisMessage, changes: &[GrantChange]) {
        if self.grants.is_empty() {
            return;
        }
        self.grants.retain(|grant| !changes.contains(&GrantChange::Granted(*grant)));
        let Some(by) = command.releases() else { return };
        if let Some(index) = self.grants.iter().position(|grant| *grant == by) {
            self.grants.swap_remove(index);
            env.note(ended(env.node(), by));
        }
    }
}

fn ended(server: NodeId, grant: GrantId) -> Event {
    Event::Ended { server, grant, cause: Cause::Released(grant) }
}
