//! Who ends leases: the lessor of the member that leads, by its monotonic clock (server/lease/lessor.go).

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::MonoDeadline;

use super::message::{EtcdMessage, LeaseId};
use crate::wire::Env;

/// How often expired leases are looked for (`runLoop`).
pub const LOOP: Duration = Duration::from_millis(500);

/// How many are revoked in one turn at the most (`leaseRevokeRate / 2`).
const MOST_REVOKED: usize = 500;

/// After this, an expired lease that is still there is offered for revocation again (`defaultExpiredleaseRetryInterval`).
const OFFER_AGAIN: Duration = Duration::from_secs(3);

/// The times of all leases, in the memory of the primary lessor only: elsewhere they last forever.
#[derive(Debug, Default)]
pub struct Lessor {
    primary: bool,
    leases: BTreeMap<LeaseId, Lease>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    seconds: u64,
    ends: MonoDeadline,
    /// Offered for revocation, and not again before this.
    offered: Option<MonoDeadline>,
}

/// What comes of a renewal at the primary lessor.
pub enum Renewal {
    /// It begins anew, with so many seconds.
    Alive(u64),
    /// It has expired and is about to be revoked: whoever asks waits for that.
    Expired,
    /// There is none.
    Gone,
}

impl Lessor {
    pub fn primary(&self) -> bool {
        self.primary
    }

    /// Each lease begins anew, with `extend` on top: how much of it had passed, only the old leader's memory knew.
    /// (Checkpoints would say so, but only of leases with more than five minutes left.)
    pub fn promote(
        &mut self,
        env: &Env<'_, EtcdMessage>,
        leases: impl Iterator<Item = (LeaseId, u64)>,
        extend: Duration,
    ) {
        self.primary = true;
        self.leases = leases.map(|(lease, seconds)| (lease, Lease::new(env, seconds, extend))).collect();
    }

    pub fn demote(&mut self) {
        *self = Lessor::default();
    }

    pub fn grant(&mut self, env: &Env<'_, EtcdMessage>, lease: LeaseId, seconds: u64) {
        if self.primary {
            self.leases.insert(lease, Lease::new(env, seconds, Duration::ZERO));
        }
    }

    pub fn revoke(&mut self, lease: LeaseId) {
        self.leases.remove(&lease);
    }

    pub fn renew(&mut self, env: &mut Env<'_, EtcdMessage>, lease: LeaseId) -> Renewal {
        let Some(known) = self.leases.get_mut(&lease) else { return Renewal::Gone };
        if env.mono_passed(known.ends) {
            return Renewal::Expired;
        }
        *known = Lease::new(env, known.seconds, Duration::ZERO);
        Renewal::Alive(known.seconds)
    }

    /// The leases that are to be revoked now.
    pub fn expired(&mut self, env: &mut Env<'_, EtcdMessage>) -> Vec<LeaseId> {
        let mut expired = Vec::new();
        for (id, lease) in &mut self.leases {
            let due = env.mono_passed(lease.ends) && lease.offered.is_none_or(|again| env.mono_passed(again));
            if due && expired.len() < MOST_REVOKED {
                lease.offered = Some(env.mono_deadline(OFFER_AGAIN));
                expired.push(*id);
            }
        }
        expired
    }
}

impl Lease {
    fn new(env: &Env<'_, EtcdMessage>, seconds: u64, extend: Duration) -> Self {
        Lease { seconds, ends: env.mono_deadline(Duration::from_secs(seconds) + extend), offered: None }
    }
}
