//! Why an operation cannot happen, in words.

use std::borrow::Cow;

use fencepost_models::history::Token;

use super::Owner;

/// Names for owners, to tell a story with.
pub trait Names {
    /// The name of an owner.
    fn name(&self, owner: Owner) -> Cow<'_, str>;
}

impl<F: Fn(Owner) -> String> Names for F {
    fn name(&self, owner: Owner) -> Cow<'_, str> {
        Cow::Owned(self(owner))
    }
}

/// Why an operation cannot happen in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Somebody holds the lock.
    Held {
        /// Who.
        by: Owner,
    },
    /// Nobody holds the lock.
    Free,
    /// Not this owner but another holds the lock.
    HeldByAnother {
        /// Who.
        by: Owner,
    },
    /// The token is not higher than one that was handed out before.
    TokenNotHigher {
        /// The highest so far. Where nobody knows a token, the lowest that it can have been.
        highest: Token,
    },
    /// An acquire that returned has a lower token and has yet to take effect.
    OutOfTurn {
        /// That token.
        lower: Token,
    },
    /// The holder has the lock under another token.
    OtherToken {
        /// The token of the grant that is held.
        held: Token,
    },
    /// There are not so many permits left.
    TooFewPermits {
        /// How many are left.
        left: u32,
    },
    /// The owner does not hold so many permits.
    NotSoMany {
        /// How many it holds.
        holds: u32,
    },
}

impl Refusal {
    /// The reason as a clause, as in `b holds the lock`.
    pub fn told(self, names: &dyn Names) -> String {
        match self {
            Refusal::Held { by } => format!("{} holds the lock", names.name(by)),
            Refusal::Free => "nobody holds the lock".into(),
            Refusal::HeldByAnother { by } => format!("not this owner but {} holds the lock", names.name(by)),
            Refusal::TokenNotHigher { highest } => {
                format!("its token is not higher than {highest}, the highest so far")
            }
            Refusal::OutOfTurn { lower } => format!("token {lower}, which is lower, was handed out later"),
            Refusal::OtherToken { held } => format!("the grant that is held has token {held}"),
            Refusal::TooFewPermits { left } => format!("only {left} permits are left"),
            Refusal::NotSoMany { holds } => format!("this owner holds only {holds} permits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, name};
    use super::*;

    #[test]
    fn every_reason_is_a_clause() {
        let told = |refusal: Refusal| refusal.told(&name);
        assert_eq!(told(Refusal::Held { by: A }), "a holds the lock");
        assert_eq!(told(Refusal::Free), "nobody holds the lock");
        assert_eq!(told(Refusal::HeldByAnother { by: A }), "not this owner but a holds the lock");
        let not_higher = "its token is not higher than 7, the highest so far";
        assert_eq!(told(Refusal::TokenNotHigher { highest: 7 }), not_higher);
        assert_eq!(told(Refusal::OutOfTurn { lower: 6 }), "token 6, which is lower, was handed out later");
        assert_eq!(told(Refusal::OtherToken { held: 7 }), "the grant that is held has token 7");
        assert_eq!(told(Refusal::TooFewPermits { left: 1 }), "only 1 permits are left");
        assert_eq!(told(Refusal::NotSoMany { holds: 0 }), "this owner holds only 0 permits");
    }
}
