//! `fencing`: tokens grow strictly from grant to grant, and no guard refuses an operation of the newest grant.

use std::fmt;

use fencepost_models::history::{Event, GrantId, Refusal, Token};
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party};
use crate::ledger::Rank;
use crate::metrics::Tally;
use crate::property::Property;

pub(crate) fn build(facts: &CaseSpec) -> Option<Fencing> {
    (facts.grants && facts.tokens).then(Fencing::default)
}

#[derive(Default)]
pub(crate) struct Fencing {
    /// Tokens handed out, in grant order. As long as nothing is violated they grow, so that a new one need only be
    /// held against its two neighbours; and what lies before every grant still under way is needed no more, but for
    /// the last of it. For each resource.
    handed: [Vec<Handed>; 2],
    first: Option<Evidence>,
}

#[derive(Clone, Copy)]
struct Handed {
    rank: Rank,
    grant: GrantId,
    token: Token,
}

/// A later grant's token is not higher than an earlier one's.
#[derive(Debug)]
struct NotGrown {
    lower: Party,
    lower_token: Token,
    higher: Party,
    higher_token: Token,
}

/// A guard refused the newest grant.
#[derive(Debug)]
struct NewestRefused {
    newest: Party,
    at: SimTime,
}

impl Checker for Fencing {
    fn observe(&mut self, context: &CheckContext, event: &Event, _tally: &mut Tally) {
        if self.first.is_some() {
            return;
        }
        match *event {
            Event::Acquired { grant, token: Some(token), .. } => self.hand_out(context, grant, token),
            Event::OperationRefused { grant, why: Refusal::Fenced, .. } if context.ledger.is_newest(grant) => {
                let detail = NewestRefused { newest: context.ledger.party(grant), at: context.at };
                self.first = Some(Evidence::new(Property::Fencing, context.at, detail));
            }
            _ => {}
        }
    }

    fn finish(self, _scene: &CheckContext, _tally: &mut Tally) -> Finding {
        Finding::from_first(self.first)
    }
}

impl Fencing {
    fn hand_out(&mut self, context: &CheckContext, grant: GrantId, token: Token) {
        let Some(rank) = context.ledger.rank_of(grant) else { return };
        let new = Handed { rank, grant, token };
        let tokens = &mut self.handed[usize::from(context.ledger.resource_of(grant).0)];
        let place = tokens.binary_search_by_key(&rank, |handed| handed.rank).unwrap_or_else(|place| place);
        let before = place.checked_sub(1).map(|i| tokens[i]).filter(|before| before.token >= token);
        let after = tokens.get(place).copied().filter(|after| after.token <= token);
        if let Some((lower, higher)) = before.map(|b| (b, new)).or(after.map(|a| (new, a))) {
            let detail = NotGrown {
                lower: context.ledger.party(lower.grant),
                lower_token: lower.token,
                higher: context.ledger.party(higher.grant),
                higher_token: higher.token,
            };
            self.first = Some(Evidence::new(Property::Fencing, context.at, detail));
            return;
        }
        tokens.insert(place, new);
        forget_settled(tokens, context.ledger.lowest_awaited());
    }
}

fn forget_settled(tokens: &mut Vec<Handed>, lowest_awaited: Option<Rank>) {
    let settled = match lowest_awaited {
        Some(rank) => tokens.partition_point(|handed| handed.rank < rank),
        None => tokens.len(),
    };
    tokens.drain(..settled.saturating_sub(1));
}

impl Detail for NotGrown {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let NotGrown { lower, lower_token, higher, higher_token } = self;
        write!(f, "{} ({higher}) was handed token {higher_token}, ", higher.who(names))?;
        write!(f, "which is not higher than token {lower_token} of {} ({lower})", lower.who(names))
    }

    fn parties(&self) -> Vec<Party> {
        vec![self.lower, self.higher]
    }
}

impl Detail for NewestRefused {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let NewestRefused { newest, at } = self;
        write!(f, "the guard refused {} ({newest}) at {at}, the newest grant of all", newest.who(names))
    }

    fn parties(&self) -> Vec<Party> {
        vec![self.newest]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Fencing;

    #[test]
    fn accepts_tokens_that_grow() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 8);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_token_that_shrinks() {
        let findings = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 6).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.told(RULE),
            "client-2 (grant 2, 2nd in the grant order) was handed token 6, \
             which is not higher than token 7 of client-1 (grant 1, 1st in the grant order)"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn rejects_the_same_token_for_two_grants_even_of_one_client() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).expired(1).granted(A, 2).token(A, 2, 7);
        history.ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn accepts_replies_in_another_order_than_the_grants() {
        let history = history().at(1).granted(A, 1).granted(B, 2).granted(C, 3);
        history.token(C, 3, 9).token(A, 1, 7).token(B, 2, 8).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_replies_that_swap_tokens() {
        let history = history().at(1).granted(A, 1).granted(B, 2).granted(C, 3);
        history.token(C, 3, 9).token(B, 2, 7).token(A, 1, 8).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn holds_a_late_reply_against_tokens_of_long_ago() {
        let history = (2..50).fold(history().at(1).granted(A, 1), |history, grant| {
            history.granted(B, grant).token(B, grant, u64::from(grant) * 10)
        });
        history.token(A, 1, 20).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn accepts_that_a_guard_refuses_an_older_grant() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 8);
        history.refused(1, Refusal::Fenced).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_that_a_guard_refuses_the_newest_grant() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 8);
        let findings = history.refused(2, Refusal::Fenced).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.named(RULE), (vec![2], vec![B]));
    }

    #[test]
    fn accepts_that_a_guard_refuses_the_newest_grant_for_another_reason() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).refused(1, Refusal::SoldOut);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn keeps_what_a_grant_under_way_must_be_held_against() {
        let rank = |n| Rank::MIN.saturating_add(n);
        let mut tokens: Vec<Handed> =
            (0..9).map(|n| Handed { rank: rank(n), grant: GrantId(n), token: u64::from(n) }).collect();
        forget_settled(&mut tokens, Some(rank(5)));
        assert_eq!(tokens.iter().map(|handed| handed.token).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    }

    #[test]
    fn keeps_few_tokens_however_many_grants_there_are() {
        let mut tokens = Vec::new();
        for n in 1..1000 {
            let rank = Rank::MIN.saturating_add(n);
            tokens.push(Handed { rank, grant: GrantId(n), token: u64::from(n) });
            forget_settled(&mut tokens, None);
        }
        assert_eq!(tokens.len(), 1);
    }
}
