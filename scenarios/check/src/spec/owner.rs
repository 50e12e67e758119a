//! `owner`: one holder at a time, and only the holder can release.

use super::{Call, NameOf, Operation, Owner, Refusal, Spec};

/// A lock that records its holder. The holder cannot acquire it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedMutex {
    holder: Option<Owner>,
}

impl Spec for OwnedMutex {
    fn step(&self, operation: &Operation) -> Result<Self, Refusal> {
        let owner = operation.owner;
        match (operation.call, self.holder) {
            (Call::Acquire { .. }, None) => Ok(OwnedMutex { holder: Some(owner) }),
            (Call::Acquire { .. }, Some(by)) => Err(Refusal::Held { by }),
            (Call::Release { .. }, None) => Err(Refusal::Free),
            (Call::Release { .. }, Some(by)) if by != owner => Err(Refusal::HeldByAnother { by }),
            (Call::Expire, holder) if holder != Some(owner) => Ok(*self),
            (Call::Release { .. } | Call::Expire, _) => Ok(OwnedMutex { holder: None }),
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
        accepts(OwnedMutex::default(), &[acquire(A), release(A), acquire(B), release(B), acquire(A)]);
    }

    #[test]
    fn rejects_a_second_acquire_even_by_the_holder() {
        rejects(OwnedMutex::default(), &[acquire(A), acquire(B)], Refusal::Held { by: A });
        rejects(OwnedMutex::default(), &[acquire(A), acquire(A)], Refusal::Held { by: A });
    }

    #[test]
    fn rejects_a_release_by_another_owner() {
        rejects(OwnedMutex::default(), &[acquire(A), release(B)], Refusal::HeldByAnother { by: A });
        rejects(OwnedMutex::default(), &[acquire(A), release(A), release(A)], Refusal::Free);
    }

    #[test]
    fn an_expiry_frees_only_the_lock_of_its_owner() {
        accepts(OwnedMutex::default(), &[expire(A), acquire(A), expire(A), expire(A), acquire(B)]);
        rejects(OwnedMutex::default(), &[acquire(A), expire(B), acquire(B)], Refusal::Held { by: A });
        let late = [acquire(A), expire(A), acquire(B), release(A)];
        rejects(OwnedMutex::default(), &late, Refusal::HeldByAnother { by: B });
    }

    #[test]
    fn the_description_names_the_holder() {
        assert_eq!(after(OwnedMutex::default(), &[]).describe(&name), "free");
        assert_eq!(after(OwnedMutex::default(), &[acquire(B)]).describe(&name), "held by b");
    }
}
