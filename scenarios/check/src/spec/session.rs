//! What the stores that agree by consensus give to sessions: one holder at a time, to whom it makes no difference if it
//! acquires again. That is no specification of `check`, since it is less than each of these stores promises.

use super::{Call, Names, Operation, Owner, Refusal, Spec};

/// A lock that a session has or does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Session {
    holder: Option<Owner>,
}

impl Session {
    pub(crate) fn holder(self) -> Option<Owner> {
        self.holder
    }
}

impl Spec for Session {
    fn step(&self, operation: &Operation) -> Result<Self, Refusal> {
        let owner = operation.owner;
        match (operation.call, self.holder) {
            (Call::Acquire { .. }, Some(by)) if by != owner => Err(Refusal::Held { by }),
            (Call::Acquire { .. }, _) => Ok(Session { holder: Some(owner) }),
            (Call::Release { .. }, None) => Err(Refusal::Free),
            (Call::Release { .. }, Some(by)) if by != owner => Err(Refusal::HeldByAnother { by }),
            (Call::Expire, holder) if holder != Some(owner) => Ok(*self),
            (Call::Release { .. } | Call::Expire, _) => Ok(Session { holder: None }),
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
    fn accepts_that_the_holder_acquires_again_and_releases_once() {
        accepts(Session::default(), &[acquire(A), acquire(A), release(A), acquire(B), expire(B), acquire(A)]);
    }

    #[test]
    fn rejects_two_holders() {
        rejects(Session::default(), &[acquire(A), acquire(B)], Refusal::Held { by: A });
        rejects(Session::default(), &[acquire(A), expire(B), acquire(B)], Refusal::Held { by: A });
    }

    #[test]
    fn rejects_a_release_of_what_one_does_not_have() {
        rejects(Session::default(), &[acquire(A), acquire(A), release(A), release(A)], Refusal::Free);
        rejects(Session::default(), &[acquire(A), release(B)], Refusal::HeldByAnother { by: A });
    }

    #[test]
    fn says_who_holds_it() {
        assert_eq!(after(Session::default(), &[]).tell(&name), "free");
        assert_eq!(after(Session::default(), &[acquire(B)]).tell(&name), "held by b");
    }
}
