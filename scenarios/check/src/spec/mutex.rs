//! `mutex`: one holder at a time. Any owner may release.

use super::{Call, NameOf, Operation, Owner, Refusal, Spec};

/// A lock without owners, which is either free or held. The holder is recorded only because the expiry of another
/// session must not free the lock.
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

    fn describe(&self, name: NameOf) -> String {
        self.holder.map_or("free".into(), |holder| format!("held by {}", name(holder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    #[test]
    fn accepts_consecutive_holders() {
        accepts(Mutex::default(), &[acquire(A), release(A), acquire(B), release(B), acquire(A)]);
    }

    #[test]
    fn rejects_a_second_acquire_even_by_the_holder() {
        rejects(Mutex::default(), &[acquire(A), acquire(B)], Refusal::Held { by: A });
        rejects(Mutex::default(), &[acquire(A), acquire(A)], Refusal::Held { by: A });
    }

    #[test]
    fn accepts_a_release_by_another_owner() {
        accepts(Mutex::default(), &[acquire(A), release(B), acquire(C)]);
    }

    #[test]
    fn rejects_a_release_of_a_free_lock() {
        rejects(Mutex::default(), &[release(A)], Refusal::Free);
        rejects(Mutex::default(), &[acquire(A), release(A), release(A)], Refusal::Free);
    }

    #[test]
    fn an_expiry_frees_the_lock_of_its_owner() {
        accepts(Mutex::default(), &[expire(A), acquire(A), expire(A), acquire(B)]);
        rejects(Mutex::default(), &[acquire(A), expire(A), release(A)], Refusal::Free);
    }

    #[test]
    fn an_expiry_of_another_owner_has_no_effect() {
        rejects(Mutex::default(), &[acquire(A), expire(B), acquire(B)], Refusal::Held { by: A });
    }

    #[test]
    fn the_description_names_the_holder() {
        assert_eq!(after(Mutex::default(), &[]).describe(&name), "free");
        assert_eq!(after(Mutex::default(), &[acquire(B)]).describe(&name), "held by b");
    }
}
