//! `owner`: one holder at a time, and nobody else can release.

use super::{Call, Names, Operation, Owner, Refusal, Spec};

/// A lock that knows its holder. The holder cannot acquire it again.
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
        accepts(OwnedMutex::default(), &[acquire(A), release(A), acquire(B), release(B), acquire(A)]);
    }

    #[test]
    fn rejects_two_holders_even_if_they_are_one() {
        rejects(OwnedMutex::default(), &[acquire(A), acquire(B)], Refusal::Held { by: A });
        rejects(OwnedMutex::default(), &[acquire(A), acquire(A)], Refusal::Held { by: A });
    }

    #[test]
    fn rejects_that_somebody_else_releases() {
        rejects(OwnedMutex::default(), &[acquire(A), release(B)], Refusal::HeldByAnother { by: A });
        rejects(OwnedMutex::default(), &[acquire(A), release(A), release(A)], Refusal::Free);
    }

    #[test]
    fn an_expiry_frees_what_its_owner_holds_and_nothing_else() {
        accepts(OwnedMutex::default(), &[expire(A), acquire(A), expire(A), expire(A), acquire(B)]);
        rejects(OwnedMutex::default(), &[acquire(A), expire(B), acquire(B)], Refusal::Held { by: A });
        let late = [acquire(A), expire(A), acquire(B), release(A)];
        rejects(OwnedMutex::default(), &late, Refusal::HeldByAnother { by: B });
    }

    #[test]
    fn says_who_holds_it() {
        assert_eq!(after(OwnedMutex::default(), &[]).tell(&name), "free");
        assert_eq!(after(OwnedMutex::default(), &[acquire(B)]).tell(&name), "held by b");
    }
}
