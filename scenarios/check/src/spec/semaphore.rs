//! `semaphore`: at most so many permits are out, and each owner gives back its own.

use super::{Call, Names, Operation, Owner, Refusal, Spec};

/// A semaphore whose permits belong to whom they were given, as in Hazelcast's session-aware `ISemaphore`. An expiry
/// gives back all that its owner holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Semaphore {
    left: u32,
    /// By owner; nobody is in it with none.
    held: Vec<(Owner, u32)>,
}

impl Semaphore {
    /// With so many permits in all.
    pub fn of(permits: u32) -> Self {
        Semaphore { left: permits, held: Vec::new() }
    }

    fn holds(&self, owner: Owner) -> u32 {
        self.held.iter().find(|(holder, _)| *holder == owner).map_or(0, |(_, permits)| *permits)
    }

    /// The state in which the owner holds so many, and as many are left as that leaves.
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
            Call::Release { permits, .. } if permits > holds => Err(Refusal::NotSoMany { holds }),
            Call::Release { permits, .. } => Ok(self.with(owner, holds - permits)),
            Call::Expire => Ok(self.with(owner, 0)),
        }
    }

    fn tell(&self, names: &dyn Names) -> String {
        let held = self.held.iter().map(|(owner, permits)| format!(", {} has {permits}", names.name(*owner)));
        format!("{} permits left{}", self.left, held.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    fn two() -> Semaphore {
        Semaphore::of(2)
    }

    #[test]
    fn accepts_as_many_as_there_are() {
        accepts(two(), &[acquire(A), acquire(B), release(A), acquire(C), release(B), release(C)]);
        accepts(two(), &[permits(A, 2), put_back(A, 1), acquire(B), put_back(A, 1), acquire(A)]);
    }

    #[test]
    fn rejects_one_too_many() {
        rejects(two(), &[acquire(A), acquire(B), acquire(C)], Refusal::TooFewPermits { left: 0 });
        rejects(two(), &[acquire(A), permits(B, 2)], Refusal::TooFewPermits { left: 1 });
        rejects(two(), &[permits(A, 3)], Refusal::TooFewPermits { left: 2 });
    }

    #[test]
    fn rejects_giving_back_what_one_does_not_have() {
        rejects(two(), &[acquire(A), release(B)], Refusal::NotSoMany { holds: 0 });
        rejects(two(), &[acquire(A), put_back(A, 2)], Refusal::NotSoMany { holds: 1 });
    }

    #[test]
    fn an_expiry_gives_back_all_of_its_owner_and_nothing_else() {
        accepts(two(), &[permits(A, 2), expire(A), permits(B, 2)]);
        accepts(two(), &[acquire(A), expire(B), release(A)]);
        rejects(two(), &[permits(A, 2), expire(B), acquire(B)], Refusal::TooFewPermits { left: 0 });
    }

    #[test]
    fn the_state_is_the_same_whoever_came_first() {
        assert_eq!(after(two(), &[acquire(A), acquire(B)]), after(two(), &[acquire(B), acquire(A)]));
        assert_eq!(after(two(), &[acquire(A), release(A)]), two());
    }

    #[test]
    fn says_who_has_how_many() {
        assert_eq!(two().tell(&name), "2 permits left");
        assert_eq!(after(two(), &[acquire(B), acquire(A)]).tell(&name), "0 permits left, a has 1, b has 1");
    }
}
