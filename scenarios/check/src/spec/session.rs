//! The lock that consensus stores offer to sessions: one holder at a time, and a nested acquire has no effect. `check`
//! does not offer this specification, since each of these stores promises more.

use super::{Call, NameOf, Operation, Owner, Refusal, Spec};

/// A lock that at most one session holds.
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

    fn describe(&self, name: NameOf) -> String {
        self.holder.map_or("free".into(), |holder| format!("held by {}", name(holder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    #[test]
    fn accepts_a_nested_acquire_with_one_release() {
        accepts(Session::default(), &[acquire(A), acquire(A), release(A), acquire(B), expire(B), acquire(A)]);
    }

    #[test]
    fn rejects_two_holders() {
        rejects(Session::default(), &[acquire(A), acquire(B)], Refusal::Held { by: A });
        rejects(Session::default(), &[acquire(A), expire(B), acquire(B)], Refusal::Held { by: A });
    }

    #[test]
    fn rejects_a_release_without_a_grant() {
        rejects(Session::default(), &[acquire(A), acquire(A), release(A), release(A)], Refusal::Free);
        rejects(Session::default(), &[acquire(A), release(B)], Refusal::HeldByAnother { by: A });
    }

    #[test]
    fn the_description_names_the_holder() {
        assert_eq!(after(Session::default(), &[]).describe(&name), "free");
        assert_eq!(after(Session::default(), &[acquire(B)]).describe(&name), "held by b");
    }
}
