//! `reentrant-fenced`: the holder may acquire again with the same token. A new grant has a higher token.

use fencepost_models::history::Token;

use super::fenced::{describe, next_highest, reveal_token};
use super::{Call, NameOf, Operation, Owner, Refusal, Spec};

/// A lock whose grants carry tokens, and which counts the acquires of its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReentrantFenced {
    held: Option<Held>,
    highest: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    by: Owner,
    times: u32,
    /// The token, if known.
    token: Option<Token>,
}

impl ReentrantFenced {
    fn held(held: Held, highest: Option<Token>) -> Self {
        ReentrantFenced { held: (held.times > 0).then_some(held), highest }
    }
}

impl Spec for ReentrantFenced {
    const ORDERED_BY_TOKEN: bool = true;

    fn step(&self, operation: &Operation) -> Result<Self, Refusal> {
        let owner = operation.owner;
        match (operation.call, self.held) {
            (Call::Acquire { token, .. }, None) => {
                let highest = next_highest(self.highest, token)?;
                Ok(ReentrantFenced::held(Held { by: owner, times: 1, token }, Some(highest)))
            }
            (Call::Acquire { .. }, Some(Held { by, .. })) if by != owner => Err(Refusal::Held { by }),
            (Call::Acquire { token, .. }, Some(held)) => {
                let (token, highest) = reveal_token(held.token, self.highest, token)?;
                Ok(ReentrantFenced::held(Held { times: held.times + 1, token, ..held }, highest))
            }
            (Call::Release { .. }, None) => Err(Refusal::Free),
            (Call::Release { .. }, Some(Held { by, .. })) if by != owner => Err(Refusal::HeldByAnother { by }),
            (Call::Release { token, .. }, Some(held)) => {
                let (token, highest) = reveal_token(held.token, self.highest, token)?;
                Ok(ReentrantFenced::held(Held { times: held.times - 1, token, ..held }, highest))
            }
            (Call::Expire, Some(Held { by, .. })) if by == owner => Ok(ReentrantFenced { held: None, ..*self }),
            (Call::Expire, _) => Ok(*self),
        }
    }

    fn describe(&self, name: NameOf) -> String {
        let holder = self.held.map(|held| held.by);
        let text = describe(holder, self.held.and_then(|held| held.token), self.highest, name);
        match self.held {
            Some(Held { times, .. }) if times > 1 => format!("{text}; acquired {times} times"),
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::*;

    fn start() -> ReentrantFenced {
        ReentrantFenced::default()
    }

    #[test]
    fn accepts_the_same_token_while_held_and_a_higher_one_afterwards() {
        let history = [token(A, 1), token(A, 1), release(A), token(A, 1), release(A), release_token(A, 1), token(B, 2)];
        accepts(start(), &history);
    }

    #[test]
    fn rejects_another_token_while_held() {
        rejects(start(), &[token(A, 1), token(A, 2)], Refusal::OtherToken { held: 1 });
        rejects(start(), &[token(A, 1), token(A, 1), release_token(A, 2)], Refusal::OtherToken { held: 1 });
    }

    #[test]
    fn rejects_the_same_token_for_a_new_grant() {
        rejects(start(), &[token(A, 1), release(A), token(A, 1)], Refusal::TokenNotHigher { highest: 1 });
        rejects(start(), &[token(A, 1), expire(A), token(A, 1)], Refusal::TokenNotHigher { highest: 1 });
    }

    #[test]
    fn rejects_another_holder_before_the_last_release() {
        rejects(start(), &[token(A, 1), token(A, 1), release(A), token(B, 2)], Refusal::Held { by: A });
        rejects(start(), &[token(A, 1), expire(B), token(B, 2)], Refusal::Held { by: A });
        accepts(start(), &[token(A, 1), token(A, 1), expire(A), token(B, 2)]);
    }

    #[test]
    fn rejects_releases_without_a_grant() {
        rejects(start(), &[token(A, 1), release(A), release(A)], Refusal::Free);
        rejects(start(), &[token(A, 1), release(B)], Refusal::HeldByAnother { by: A });
    }

    #[test]
    fn a_nested_acquire_can_reveal_an_unknown_token() {
        accepts(
            start(),
            &[token(A, 1), release(A), acquire(B), token(B, 4), release_token(B, 4), release(B), token(A, 5)],
        );
        accepts(start(), &[token(A, 1), release(A), acquire(B), token(B, 2)]);
        let too_low = [token(A, 1), release(A), acquire(B), token(B, 1)];
        rejects(start(), &too_low, Refusal::TokenNotHigher { highest: 1 });
        rejects(start(), &[acquire(B), token(B, 4), token(B, 5)], Refusal::OtherToken { held: 4 });
        let operations = [acquire(B), acquire(B), release_token(B, 4), release_token(B, 5)];
        rejects(start(), &operations, Refusal::OtherToken { held: 4 });
    }

    #[test]
    fn the_description_gives_the_holder_the_token_and_the_count() {
        assert_eq!(after(start(), &[]).describe(&name), "free");
        assert_eq!(after(start(), &[token(A, 3)]).describe(&name), "held by a with token 3; highest token 3");
        let twice = "held by a with token 3; highest token 3; acquired 2 times";
        assert_eq!(after(start(), &[token(A, 3), acquire(A)]).describe(&name), twice);
        assert_eq!(after(start(), &[token(A, 3), expire(A)]).describe(&name), "free; highest token 3");
    }
}
