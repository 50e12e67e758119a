//! Patroni beside each server: it renews the leader key, or takes it once it has expired.
//!
//! Read in patroni/patroni v4.1.4, `patroni/ha.py`:
//!
//! - Each `loop_wait` the primary renews its key (`update_lock`). If the key store does not answer within
//!   `retry_timeout`, it demotes itself (`_handle_dcs_error`), and so it does if another server has the key
//!   (`process_healthy_cluster`). The server restarts as a standby, which ends all sessions (`demote`).
//! - A standby whose key store has no owner asks the other member over REST, for at most 2 s. It does not take the key
//!   if that one is a primary or is ahead (`_is_healthiest_node`). Nor does it if its timeline is older than the
//!   cluster's.
//! - A server that starts with the key still its own is promoted again (`process_healthy_cluster`).
//!
//! The defaults and the rule `loop_wait + 2 * retry_timeout <= ttl` are in `patroni/config.py`.

use std::time::Duration;

use fencepost_sim::Mono;

use super::message::SqlMessage;
use super::replica::{KEY_STORE, PAIR, Role};
use super::{Sql, Timer};
use crate::wire::Env;

/// The default of `loop_wait`.
const LOOP_WAIT: Duration = Duration::from_secs(10);

/// The default of `retry_timeout`.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// The minimal `loop_wait`.
const MIN_LOOP_WAIT: Duration = Duration::from_secs(1);

/// The minimal `ttl`.
pub(super) const MIN_TTL: Duration = Duration::from_secs(20);

/// The delay before a request to the key store is sent again.
const RETRY: Duration = Duration::from_secs(1);

/// The time limit of a request to the other member (`ha.py`, `fetch_node_status`).
const REST_TIMEOUT: Duration = Duration::from_secs(2);

/// The daemon of one server.
#[derive(Default)]
pub(super) struct Patroni {
    cycle: u32,
    started: Mono,
    step: Step,
}

#[derive(Default, PartialEq, Eq)]
enum Step {
    /// Until the next cycle.
    #[default]
    Sleeping,
    /// It waits for the key store.
    AsksKey {
        /// Whether it asked for the key, or only for its owner.
        wants: bool,
    },
    /// It waits for the other member.
    AsksMember,
}

impl Patroni {
    /// Stops the current cycle. Cycle numbers go on, so that no late answer counts.
    pub fn restart(&mut self) {
        self.step = Step::Sleeping;
    }
}

/// `loop_wait` and `retry_timeout` for this `ttl`, reduced by the rule if necessary.
fn timings(ttl: Duration) -> (Duration, Duration) {
    if MIN_LOOP_WAIT + 2 * RETRY_TIMEOUT > ttl {
        (MIN_LOOP_WAIT, Duration::from_secs((ttl - MIN_LOOP_WAIT).as_secs() / 2))
    } else {
        (LOOP_WAIT.min(ttl - 2 * RETRY_TIMEOUT), RETRY_TIMEOUT)
    }
}

/// The maximal time from the healing of all faults until a server has the key and leads.
pub(super) fn election_bound(ttl: Duration) -> Duration {
    let (loop_wait, retry_timeout) = timings(ttl);
    ttl + 2 * loop_wait + retry_timeout + REST_TIMEOUT
}

impl Sql {
    /// Starts a cycle after this one, unless a later one started. A cycle that is not complete delays the next one.
    pub(super) fn next_cycle(&mut self, env: &mut Env<'_, SqlMessage>, cycle: u32) {
        match self.patroni() {
            Some(patroni) if patroni.cycle == cycle && patroni.step == Step::Sleeping => self.start_cycle(env),
            Some(patroni) if patroni.cycle == cycle => {
                env.set_timer(RETRY, Timer::Cycle(cycle).tag());
            }
            _ => {}
        }
    }

    pub(super) fn start_cycle(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &mut self.replica else { return };
        let (loop_wait, _) = timings(replica.ttl());
        let leads = replica.leads();
        replica.patroni.cycle += 1;
        replica.patroni.started = env.mono();
        env.set_timer(loop_wait, Timer::Cycle(replica.patroni.cycle).tag());
        self.ask_key(env, leads);
    }

    fn patroni(&self) -> Option<&Patroni> {
        self.replica.as_ref().map(|replica| &replica.patroni)
    }

    fn ask_key(&mut self, env: &mut Env<'_, SqlMessage>, wants: bool) {
        let Some(replica) = &mut self.replica else { return };
        replica.patroni.step = Step::AsksKey { wants };
        let cycle = replica.patroni.cycle;
        let renew = SqlMessage::RenewKey { server: replica.index() as u8, cycle, wants, timeline: replica.timeline() };
        env.send(env.find(KEY_STORE), renew);
        env.set_timer(RETRY, Timer::Retry(cycle).tag());
    }

    /// Asks the key store again, or demotes the server after `retry_timeout`.
    pub(super) fn retry_cycle(&mut self, env: &mut Env<'_, SqlMessage>, cycle: u32) {
        let Some(replica) = self.replica.as_mut().filter(|replica| replica.patroni.cycle == cycle) else { return };
        let Step::AsksKey { wants } = replica.patroni.step else { return };
        let (_, retry_timeout) = timings(replica.ttl());
        if env.mono() - replica.patroni.started < retry_timeout {
            return self.ask_key(env, wants);
        }
        replica.patroni.step = Step::Sleeping;
        self.demote(env);
    }

    /// Handles the key store's answer, or its notice that the key expired.
    pub(super) fn see_key_owner(&mut self, env: &mut Env<'_, SqlMessage>, owner: Option<u8>, cycle: u32) {
        let Some(replica) = &mut self.replica else { return };
        if cycle == 0 {
            return if replica.patroni.step == Step::Sleeping {
                self.start_cycle(env)
            };
        }
        let Step::AsksKey { wants } = replica.patroni.step else { return };
        if replica.patroni.cycle != cycle {
            return;
        }
        replica.patroni.step = Step::Sleeping;
        let leads = replica.leads();
        // A server without data gives the key up.
        let able = replica.timeline() > 0;
        match owner {
            Some(owner) if usize::from(owner) == replica.index() => match wants {
                true if !leads => self.take_over(env),
                false if able => self.ask_key(env, true),
                _ => {}
            },
            Some(_) => self.demote(env),
            None if leads => self.demote(env),
            None if able => self.ask_member(env),
            None => {}
        }
    }

    fn ask_member(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &mut self.replica else { return };
        replica.patroni.step = Step::AsksMember;
        env.send(env.find(PAIR[1 - replica.index()]), SqlMessage::AskStatus);
        env.set_timer(REST_TIMEOUT, Timer::Race(replica.patroni.cycle).tag());
    }

    pub(super) fn answer_status(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &self.replica else { return };
        let length = self.tables.length();
        let status = SqlMessage::Status { leads: replica.leads(), timeline: replica.timeline(), length };
        env.send(env.find(PAIR[1 - replica.index()]), status);
    }

    /// Handles the answer of the other member.
    pub(super) fn see_status(&mut self, env: &mut Env<'_, SqlMessage>, leads: bool, position: (u32, u32)) {
        let own = self.tables.length();
        let Some(replica) = self.replica.as_mut().filter(|replica| replica.patroni.step == Step::AsksMember) else {
            return;
        };
        if leads || position > (replica.timeline(), own) {
            replica.patroni.step = Step::Sleeping;
        } else {
            self.ask_key(env, true);
        }
    }

    /// Takes part in the race for the key: the other member did not answer.
    pub(super) fn join_race(&mut self, env: &mut Env<'_, SqlMessage>, cycle: u32) {
        if self.patroni().is_some_and(|patroni| patroni.cycle == cycle && patroni.step == Step::AsksMember) {
            self.ask_key(env, true);
        }
    }

    /// Leads with the key: a former primary on its timeline, a standby on a new one, which the key store must know.
    fn take_over(&mut self, env: &mut Env<'_, SqlMessage>) {
        match self.replica.as_ref().map(|replica| replica.role()) {
            Some(Role::Returns) => self.lead_again(env),
            Some(Role::Follows) => {
                self.promote(env);
                self.start_cycle(env);
            }
            _ => {}
        }
    }

    /// Ends all sessions and restarts as a standby that may lead again.
    fn demote(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = self.replica.as_mut().filter(|replica| replica.leads()) else { return };
        replica.set_role(Role::Returns);
        env.lead(false);
        self.close_all(env);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_reduces_the_timings() {
        let seconds = |ttl| {
            let (loop_wait, retry_timeout) = timings(Duration::from_secs(ttl));
            (loop_wait.as_secs(), retry_timeout.as_secs())
        };
        assert_eq!([seconds(60), seconds(30), seconds(25), seconds(20)], [(10, 10), (10, 10), (5, 10), (1, 9)]);
    }
}
