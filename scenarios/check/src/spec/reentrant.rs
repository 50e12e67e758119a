//! `reentrant`: the holder may acquire again, and n acquires need n releases.

use super::{Call, NameOf, Operation, Owner, Refusal, Spec};

/// A lock that counts the acquires of its holder. An expiry ends all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reentrant {
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    by: Owner,
    times: u32,
}

impl Reentrant {
    fn held(by: Owner, times: u32) -> Self {
        Reentrant { held: (times > 0).then_some(Held { by, times }) }
    }
}

impl Spec for Reentrant {
    fn step(&self, operation: &Operation) -> Result<Self, Refusal> {
        let owner = operation.owner;
        match (operation.call, self.held) {
            (Call::Acquire { .. }, None) => Ok(Reentrant::held(owner, 1)),
            (Call::Acquire { .. }, Some(Held { by, times })) if by == owner => Ok(Reentrant::held(by, times + 1)),
            (Call::Acquire { .. }, Some(Held { by, .. })) => Err(Refusal::Held { by }),
            (Call::Release { .. }, None) => Err(Refusal::Free),
            (Call::Release { .. }, Some(Held { by, times })) if by == owner => Ok(Reentrant::held(by, times - 1)),
            (Call::Release { .. }, Some(Held { by, .. })) => Err(Refusal::HeldByAnother { by }),
            (Call::Expire, Some(Held { by, .. })) if by == owner => Ok(Reentrant { held: None }),
            (Call::Expire, _) => Ok(*self),
        }
    }

    fn describe(&self, name: NameOf) -> String {
        match self.held {
            None => "free".into(),
            Some(Held { by, times: 1 }) => format!("held by {}", name(by)),
            Some(Held { by, times }) => format!("held by {}, {times} times", name(by)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    #[test]
    fn accepts_one_release_per_acquire() {
        let history = [acquire(A), acquire(A), release(A), acquire(A), release(A), release(A), acquire(B)];
        accepts(Reentrant::default(), &history);
    }

    #[test]
    fn rejects_another_holder_before_the_last_release() {
        rejects(Reentrant::default(), &[acquire(A), acquire(A), release(A), acquire(B)], Refusal::Held { by: A });
    }

    #[test]
    fn rejects_more_releases_than_acquires() {
        rejects(Reentrant::default(), &[acquire(A), acquire(A), release(A), release(A), release(A)], Refusal::Free);
    }

    #[test]
    fn rejects_a_release_by_another_owner() {
        rejects(Reentrant::default(), &[acquire(A), release(B)], Refusal::HeldByAnother { by: A });
    }

    #[test]
    fn an_expiry_ends_every_acquire_of_its_owner() {
        accepts(Reentrant::default(), &[acquire(A), acquire(A), expire(A), acquire(B)]);
        rejects(Reentrant::default(), &[acquire(A), expire(B), acquire(B)], Refusal::Held { by: A });
    }

    #[test]
    fn the_description_gives_the_holder_and_the_count() {
        assert_eq!(after(Reentrant::default(), &[]).describe(&name), "free");
        assert_eq!(after(Reentrant::default(), &[acquire(A)]).describe(&name), "held by a");
        assert_eq!(after(Reentrant::default(), &[acquire(A), acquire(A)]).describe(&name), "held by a, 2 times");
    }
}
