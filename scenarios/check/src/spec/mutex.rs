//! `mutex`: one holder at a time. Who releases does not matter.

use super::{Call, Names, Operation, Owner, Refusal, Spec};

/// A lock without owners: it is free or held. It knows whom it was given to only so that the end of somebody else's
/// session does not free it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mutex {
    holder: Option<Owner>,
}

impl Spec for Mutex {
    fn step(&self, operation: &Operation) -> Result<Self, Refusal> {
        let owner = operation.owner;
        match (operation.call, self.holder) {
            (Call::Acquire { .. }, None) => Ok(Mutex { holder: Some(owner) }),
            (Call::Acquire { .. }, Some(by)) => Err(Refusal::Held { by }),
            (Call::Release { .. }, Some(_)) => Ok(Mutex { holder: None }),
            (Call::Release { .. }, None) => Err(Refusal::Free),
            (Call::Expire, Some(by)) if by == owner => Ok(Mutex { holder: None }),
            (Call::Expire, _) => Ok(*self),
        }
    }

    fn tell(&self, names: &dyn Names) -> String {
        self.holder.map_or("free".into(), |holder| format!("held by {}", names.name(holder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    #[test]
    fn accepts_one_holder_after_another() {
        accepts(Mutex::default(), &[acquire(A), release(A), acquire(B), release(B), acquire(A)]);
    }

    #[test]
    fn rejects_two_holders_even_if_they_are_one() {
        rejects(Mutex::default(), &[acquire(A), acquire(B)], Refusal::Held { by: A });
        rejects(Mutex::default(), &[acquire(A), acquire(A)], Refusal::Held { by: A });
    }

    #[test]
    fn accepts_that_somebody_else_releases() {
        accepts(Mutex::default(), &[acquire(A), release(B), acquire(C)]);
    }

    #[test]
    fn rejects_a_release_of_what_is_free() {
        rejects(Mutex::default(), &[release(A)], Refusal::Free);
        rejects(Mutex::default(), &[acquire(A), release(A), release(A)], Refusal::Free);
    }

    #[test]
    fn an_expiry_frees_what_its_owner_holds() {
        accepts(Mutex::default(), &[expire(A), acquire(A), expire(A), acquire(B)]);
        rejects(Mutex::default(), &[acquire(A), expire(A), release(A)], Refusal::Free);
    }

    #[test]
    fn an_expiry_of_somebody_else_frees_nothing() {
        rejects(Mutex::default(), &[acquire(A), expire(B), acquire(B)], Refusal::Held { by: A });
    }

    #[test]
    fn says_who_holds_it() {
        assert_eq!(after(Mutex::default(), &[]).tell(&name), "free");
        assert_eq!(after(Mutex::default(), &[acquire(B)]).tell(&name), "held by b");
    }
}
