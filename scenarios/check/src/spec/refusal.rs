//! The reasons why an operation cannot happen.

use fencepost_models::history::Token;

use super::Owner;

/// A function that returns the name of an owner.
pub type NameOf<'a> = &'a dyn Fn(Owner) -> String;

/// The reason why an operation cannot happen in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The lock is held.
    Held {
        /// The holder.
        by: Owner,
    },
    /// The lock is free.
    Free,
    /// Another owner holds the lock.
    HeldByAnother {
        /// The holder.
        by: Owner,
    },
    /// The token is not higher than an earlier one.
    TokenNotHigher {
        /// The highest token so far. For an unknown token, the lowest possible value is assumed.
        highest: Token,
    },
    /// An acquire that returned a lower token has not taken effect yet.
    OutOfTurn {
        /// The lower token.
        lower: Token,
    },
    /// The holder has the lock with another token.
    OtherToken {
        /// The token of the current grant.
        held: Token,
    },
    /// Too few permits are left.
    TooFewPermits {
        /// The number of permits left.
        left: u32,
    },
    /// The owner holds too few permits.
    TooFewHeld {
        /// The number of permits that the owner holds.
        holds: u32,
    },
}

impl Refusal {
    /// Describes the reason as a clause, such as `b holds the lock`.
    pub fn clause(self, name: NameOf) -> String {
        match self {
            Refusal::Held { by } => format!("{} holds the lock", name(by)),
            Refusal::Free => "no owner holds the lock".into(),
            Refusal::HeldByAnother { by } => format!("another owner, {}, holds the lock", name(by)),
            Refusal::TokenNotHigher { highest } => {
                format!("its token is not higher than {highest}, the highest so far")
            }
            Refusal::OutOfTurn { lower } => format!("an acquire with the lower token {lower} must take effect first"),
            Refusal::OtherToken { held } => format!("the current grant has token {held}"),
            Refusal::TooFewPermits { left } => format!("permits left: {left}"),
            Refusal::TooFewHeld { holds } => format!("permits held by this owner: {holds}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, name};
    use super::*;

    #[test]
    fn every_reason_is_a_clause() {
        let clause = |refusal: Refusal| refusal.clause(&name);
        assert_eq!(clause(Refusal::Held { by: A }), "a holds the lock");
        assert_eq!(clause(Refusal::Free), "no owner holds the lock");
        assert_eq!(clause(Refusal::HeldByAnother { by: A }), "another owner, a, holds the lock");
        let not_higher = "its token is not higher than 7, the highest so far";
        assert_eq!(clause(Refusal::TokenNotHigher { highest: 7 }), not_higher);
        assert_eq!(clause(Refusal::OutOfTurn { lower: 6 }), "an acquire with the lower token 6 must take effect first");
        assert_eq!(clause(Refusal::OtherToken { held: 7 }), "the current grant has token 7");
        assert_eq!(clause(Refusal::TooFewPermits { left: 1 }), "permits left: 1");
        assert_eq!(clause(Refusal::TooFewHeld { holds: 0 }), "permits held by this owner: 0");
    }
}
