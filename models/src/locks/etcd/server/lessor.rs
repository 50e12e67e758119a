//! The lessor of the leader, which ends leases by its monotonic clock (server/lease/lessor.go).

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::MonoDeadline;

use super::keyspace::LeaseId;
use super::message::EtcdMessage;
use crate::wire::Env;

/// The interval between searches for expired leases (`runLoop`).
pub const LOOP: Duration = Duration::from_millis(500);

/// The maximal number of revocations per search (`leaseRevokeRate / 2`).
const MOST_REVOKED: usize = 500;

/// The interval after which an expired lease that still exists is revoked again (`defaultExpiredleaseRetryInterval`).
const OFFER_AGAIN: Duration = Duration::from_secs(3);

/// The expiries of all leases, in the memory of the primary lessor only: leases never expire elsewhere.
#[derive(Debug, Default)]
pub struct Lessor {
    primary: bool,
    leases: BTreeMap<LeaseId, Lease>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    seconds: u64,
    ends: MonoDeadline,
    /// If a revocation was proposed: no other one before this.
    offered: Option<MonoDeadline>,
}

/// The result of a renewal at the primary lessor.
pub enum Renewal {
    /// The lease starts over, with this duration in seconds.
    Alive(u64),
    /// The lease has expired and is about to be revoked: the reply waits for that.
    Expired,
    /// There is no such lease.
    Gone,
}

impl Lessor {
    pub fn primary(&self) -> bool {
        self.primary
    }

    /// Restarts each lease, plus `extend`: only the old leader's memory knew how much of it had passed. (Checkpoints
    /// would tell, but only for leases with more than five minutes left.)
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

    /// The leases to revoke now.
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
