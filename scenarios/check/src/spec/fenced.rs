//! `fenced`: one holder at a time, and every acquire has a higher token than all acquires before it.

use fencepost_models::history::Token;

use super::{Call, NameOf, Operation, Owner, Refusal, Spec};

/// A lock whose grants carry tokens.
///
/// An acquire with an unknown token may have had any token above the highest. The specification assumes the lowest of
/// these, which excludes the least: it never rejects a history that some token would explain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fenced {
    holder: Option<Owner>,
    /// The token of the current grant, if known.
    held: Option<Token>,
    highest: Option<Token>,
}

impl Spec for Fenced {
    const ORDERED_BY_TOKEN: bool = true;

    fn step(&self, operation: &Operation) -> Result<Self, Refusal> {
        let owner = operation.owner;
        match (operation.call, self.holder) {
            (Call::Acquire { token, .. }, None) => {
                let highest = next_highest(self.highest, token)?;
                Ok(Fenced { holder: Some(owner), held: token, highest: Some(highest) })
            }
            (Call::Acquire { .. }, Some(by)) => Err(Refusal::Held { by }),
            (Call::Release { .. }, None) => Err(Refusal::Free),
            (Call::Release { .. }, Some(by)) if by != owner => Err(Refusal::HeldByAnother { by }),
            (Call::Release { token, .. }, _) => {
                let (_, highest) = reveal_token(self.held, self.highest, token)?;
                Ok(Fenced { holder: None, held: None, highest })
            }
            (Call::Expire, Some(by)) if by == owner => Ok(Fenced { holder: None, held: None, ..*self }),
            (Call::Expire, _) => Ok(*self),
        }
    }

    fn describe(&self, name: NameOf) -> String {
        describe(self.holder, self.held, self.highest, name)
    }
}

/// Returns the highest token after a new grant with this token.
///
/// # Errors
/// Returns an error if the token is not higher than the highest so far.
pub(super) fn next_highest(highest: Option<Token>, token: Option<Token>) -> Result<Token, Refusal> {
    match (highest, token) {
        (Some(highest), Some(token)) if token <= highest => Err(Refusal::TokenNotHigher { highest }),
        (_, Some(token)) => Ok(token),
        (None, None) => Ok(0),
        (Some(highest), None) => Ok(highest.saturating_add(1)),
    }
}

/// Returns the token of the current grant and the highest token, after an operation on this grant that may name its
/// token.
///
/// # Errors
/// Returns an error if the named token contradicts the known ones.
pub(super) fn reveal_token(
    held: Option<Token>,
    highest: Option<Token>,
    token: Option<Token>,
) -> Result<(Option<Token>, Option<Token>), Refusal> {
    match (held, token) {
        (_, None) => Ok((held, highest)),
        (Some(held), Some(token)) if held != token => Err(Refusal::OtherToken { held }),
        (Some(_), Some(_)) => Ok((held, highest)),
        // So far, the token was only known to be higher than all earlier ones.
        (None, Some(token)) => match highest {
            Some(lowest) if token < lowest => Err(Refusal::TokenNotHigher { highest: lowest.saturating_sub(1) }),
            _ => Ok((Some(token), Some(token))),
        },
    }
}

/// Describes the state, as in `held by a with token 7; highest token 7`.
pub(super) fn describe(holder: Option<Owner>, held: Option<Token>, highest: Option<Token>, name: NameOf) -> String {
    let holder = match (holder, held) {
        (None, _) => "free".into(),
        (Some(holder), Some(token)) => format!("held by {} with token {token}", name(holder)),
        (Some(holder), None) => format!("held by {} with an unknown token", name(holder)),
    };
    match highest {
        Some(highest) => format!("{holder}; highest token {highest}"),
        None => holder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    fn start() -> Fenced {
        Fenced::default()
    }

    #[test]
    fn accepts_increasing_tokens_with_gaps() {
        accepts(start(), &[token(A, 0), release(A), token(B, 1), release(B), token(A, 7)]);
    }

    #[test]
    fn rejects_a_token_that_does_not_increase() {
        rejects(start(), &[token(A, 7), release(A), token(B, 7)], Refusal::TokenNotHigher { highest: 7 });
        rejects(start(), &[token(A, 7), release(A), token(A, 6)], Refusal::TokenNotHigher { highest: 7 });
        rejects(start(), &[token(A, 7), expire(A), token(A, 7)], Refusal::TokenNotHigher { highest: 7 });
    }

    #[test]
    fn rejects_two_holders_for_any_token() {
        rejects(start(), &[token(A, 1), token(B, 2)], Refusal::Held { by: A });
        rejects(start(), &[token(A, 1), token(A, 2)], Refusal::Held { by: A });
        rejects(start(), &[token(A, 1), expire(B), token(B, 2)], Refusal::Held { by: A });
    }

    #[test]
    fn rejects_a_release_by_another_or_with_another_token() {
        rejects(start(), &[token(A, 1), release(B)], Refusal::HeldByAnother { by: A });
        rejects(start(), &[token(A, 1), release_token(A, 2)], Refusal::OtherToken { held: 1 });
        rejects(start(), &[token(A, 1), release_token(A, 1), release(A)], Refusal::Free);
    }

    #[test]
    fn an_unknown_token_takes_up_a_value() {
        accepts(start(), &[token(A, 1), release(A), acquire(B), release(B), token(A, 3)]);
        let no_gap = [token(A, 1), release(A), acquire(B), release(B), token(A, 2)];
        rejects(start(), &no_gap, Refusal::TokenNotHigher { highest: 2 });
        rejects(start(), &[acquire(A), release(A), token(A, 0)], Refusal::TokenNotHigher { highest: 0 });
    }

    #[test]
    fn a_release_can_reveal_an_unknown_token() {
        accepts(start(), &[token(A, 1), release(A), acquire(B), release_token(B, 5), token(A, 6)]);
        accepts(start(), &[token(A, 1), release(A), acquire(B), release_token(B, 2), token(A, 3)]);
        let operations = [acquire(B), release_token(B, 5), token(A, 5)];
        rejects(start(), &operations, Refusal::TokenNotHigher { highest: 5 });
        let too_low = [token(A, 1), release(A), acquire(B), release_token(B, 1)];
        rejects(start(), &too_low, Refusal::TokenNotHigher { highest: 1 });
    }

    #[test]
    fn the_state_does_not_depend_on_how_the_grant_ended() {
        assert_eq!(after(start(), &[token(A, 3), expire(A)]), after(start(), &[token(A, 3), release(A)]));
    }

    #[test]
    fn the_description_gives_the_holder_and_the_token() {
        assert_eq!(after(start(), &[]).describe(&name), "free");
        assert_eq!(after(start(), &[token(A, 3)]).describe(&name), "held by a with token 3; highest token 3");
        let unknown = "held by a with an unknown token; highest token 0";
        assert_eq!(after(start(), &[acquire(A)]).describe(&name), unknown);
        for end in [release(A), expire(A)] {
            assert_eq!(after(start(), &[token(A, 3), end]).describe(&name), "free; highest token 3");
        }
    }
}
