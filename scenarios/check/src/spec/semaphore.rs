//! `semaphore`: at most N permits are held, and each owner releases its own.

use super::{Call, NameOf, Operation, Owner, Refusal, Spec};

/// A semaphore whose permits belong to their owners, as in Hazelcast's session-aware `ISemaphore`. An expiry releases
/// all permits of its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Semaphore {
    left: u32,
    /// The permits of each owner that holds any, sorted by owner.
    held: Vec<(Owner, u32)>,
}

impl Semaphore {
    /// Creates a semaphore with this many permits in total.
    pub fn with_permits(permits: u32) -> Self {
        Semaphore { left: permits, held: Vec::new() }
    }

    fn holds(&self, owner: Owner) -> u32 {
        self.held.iter().find(|(holder, _)| *holder == owner).map_or(0, |(_, permits)| *permits)
    }

    /// Returns the state in which the owner holds this many permits.
    fn with(&self, owner: Owner, permits: u32) -> Self {
        let left = self.left + self.holds(owner) - permits;
        let others = self.held.iter().copied().filter(|(holder, _)| *holder != owner);
        let mut held: Vec<_> = others.chain((permits > 0).then_some((owner, permits))).collect();
        held.sort_unstable();
        Semaphore { left, held }
    }
}

impl Spec for Semaphore {
    fn step(&self, operation: &Operation) -> Result<Self, Refusal> {
        let owner = operation.owner;
        let holds = self.holds(owner);
        match operation.call {
            Call::Acquire { permits, .. } if permits > self.left => Err(Refusal::TooFewPermits { left: self.left }),
            Call::Acquire { permits, .. } => Ok(self.with(owner, holds + permits)),
            Call::Release { permits, .. } if permits > holds => Err(Refusal::TooFewHeld { holds }),
            Call::Release { permits, .. } => Ok(self.with(owner, holds - permits)),
            Call::Expire => Ok(self.with(owner, 0)),
        }
    }

    fn describe(&self, name: NameOf) -> String {
        let held = self.held.iter().map(|(owner, permits)| format!(", {} has {permits}", name(*owner)));
        format!("{} permits left{}", self.left, held.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    fn two() -> Semaphore {
        Semaphore::with_permits(2)
    }

    #[test]
    fn accepts_acquires_up_to_the_number_of_permits() {
        accepts(two(), &[acquire(A), acquire(B), release(A), acquire(C), release(B), release(C)]);
        accepts(two(), &[permits(A, 2), release_permits(A, 1), acquire(B), release_permits(A, 1), acquire(A)]);
    }

    #[test]
    fn rejects_an_acquire_beyond_the_permits() {
        rejects(two(), &[acquire(A), acquire(B), acquire(C)], Refusal::TooFewPermits { left: 0 });
        rejects(two(), &[acquire(A), permits(B, 2)], Refusal::TooFewPermits { left: 1 });
        rejects(two(), &[permits(A, 3)], Refusal::TooFewPermits { left: 2 });
    }

    #[test]
    fn rejects_a_release_of_more_permits_than_held() {
        rejects(two(), &[acquire(A), release(B)], Refusal::TooFewHeld { holds: 0 });
        rejects(two(), &[acquire(A), release_permits(A, 2)], Refusal::TooFewHeld { holds: 1 });
    }

    #[test]
    fn an_expiry_releases_only_the_permits_of_its_owner() {
        accepts(two(), &[permits(A, 2), expire(A), permits(B, 2)]);
        accepts(two(), &[acquire(A), expire(B), release(A)]);
        rejects(two(), &[permits(A, 2), expire(B), acquire(B)], Refusal::TooFewPermits { left: 0 });
    }

    #[test]
    fn the_state_does_not_depend_on_the_order_of_owners() {
        assert_eq!(after(two(), &[acquire(A), acquire(B)]), after(two(), &[acquire(B), acquire(A)]));
        assert_eq!(after(two(), &[acquire(A), release(A)]), two());
    }

    #[test]
    fn the_description_gives_the_permits_of_each_owner() {
        assert_eq!(two().describe(&name), "2 permits left");
        assert_eq!(after(two(), &[acquire(B), acquire(A)]).describe(&name), "0 permits left, a has 1, b has 1");
    }
}
