//! `FencedLock` in a CP group.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;

use super::params::HazelcastCpParams;
use super::{Client, info};
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::LockInfo;
use crate::lock::Lock;
use crate::locks::hazelcast::server::{HazelcastMessage, Member};
use crate::site::Site;
use crate::wire::Ctx;

/// `FencedLock` in a CP group.
pub struct HazelcastCp(Client);

impl Lock for HazelcastCp {
    const INFO: LockInfo = info::CP_INFO;
    type Params = HazelcastCpParams;
    type Message = HazelcastMessage;

    fn deploy(params: &HazelcastCpParams, site: &mut Site<'_, HazelcastMessage>) {
        Member::deploy(site, &params.server_names(), params.cp());
    }

    fn connect(params: &HazelcastCpParams, ctx: Ctx<HazelcastMessage>, resource: ResourceId) -> Self {
        HazelcastCp(Client::new(ctx, &params.server_names(), resource))
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.0.acquire(attempt).await
    }

    async fn release(&mut self, _: &Grant) -> Result<(), LockError> {
        self.0.release().await
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        self.0.check(grant).await
    }

    fn takeover_bound(params: &HazelcastCpParams, allowance: &BoundAllowance) -> Duration {
        params.takeover_bound(allowance)
    }
}
