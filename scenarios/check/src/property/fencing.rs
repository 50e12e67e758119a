//! `fencing`: tokens strictly increase from grant to grant, and no guard refuses an operation of the newest grant.

use fencepost_models::history::{Event, GrantId, Refusal, Token};

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::ledger::Rank;

#[derive(Default)]
pub(crate) struct Fencing {
    /// For each resource, the tokens that clients received, in grant order. Tokens increase until the first violation,
    /// so a new token is compared only with its two neighbours. Of the tokens before all pending grants, only the last
    /// one is kept.
    received: [Vec<Received>; 2],
}

#[derive(Clone, Copy)]
struct Received {
    rank: Rank,
    grant: GrantId,
    token: Token,
}

impl Checker for Fencing {
    fn new(case: &CaseSpec) -> Option<Self> {
        (case.grants && case.tokens).then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        if output.is_violated() {
            return;
        }
        match *event {
            Event::Acquired { grant, token: Some(token), .. } => self.receive(context, grant, token, output),
            Event::OperationRefused { grant, why: Refusal::Fenced, .. } if context.ledger.is_newest(grant) => {
                let (at, newest) = (context.at, context.grant(grant));
                output.violated(at, [newest], move |names| {
                    format!(
                        "the guard rejected {} ({newest}) at {at}, although its grant is the newest",
                        names.client(newest)
                    )
                });
            }
            _ => {}
        }
    }
}

impl Fencing {
    fn receive(&mut self, context: &CheckContext, grant: GrantId, token: Token, output: &mut Output) {
        let Some(rank) = context.ledger.rank_of(grant) else { return };
        let new = Received { rank, grant, token };
        let tokens = &mut self.received[context.ledger.row_of(grant)];
        let index = tokens.binary_search_by_key(&rank, |received| received.rank).unwrap_or_else(|index| index);
        let before = index.checked_sub(1).map(|i| tokens[i]).filter(|before| before.token >= token);
        let after = tokens.get(index).copied().filter(|after| after.token <= token);
        if let Some((lower, higher)) = before.map(|b| (b, new)).or(after.map(|a| (new, a))) {
            let (lower_token, higher_token) = (lower.token, higher.token);
            let [lower, higher] = [lower, higher].map(|received| context.grant(received.grant));
            output.violated(context.at, [lower, higher], move |names| {
                let [l, h] = [lower, higher].map(|grant| names.client(grant));
                format!("{h} ({higher}) got token {higher_token}, which is not higher than token {lower_token} of {l} ({lower})")
            });
            return;
        }
        tokens.insert(index, new);
        drop_settled(tokens, context.ledger.lowest_pending());
    }
}

/// Drops all but the last of the tokens before all pending grants.
fn drop_settled(tokens: &mut Vec<Received>, lowest_pending: Option<Rank>) {
    let settled = match lowest_pending {
        Some(rank) => tokens.partition_point(|received| received.rank < rank),
        None => tokens.len(),
    };
    tokens.drain(..settled.saturating_sub(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Fencing;

    #[test]
    fn accepts_increasing_tokens() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 8);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_decreasing_token() {
        let findings = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 6).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.sentence(RULE),
            "client-2 (grant 2, 2nd in the grant order) got token 6, \
             which is not higher than token 7 of client-1 (grant 1, 1st in the grant order)"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn rejects_the_same_token_for_two_grants_of_one_client() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).expired(1).granted(A, 2).token(A, 2, 7);
        history.ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn accepts_replies_out_of_grant_order() {
        let history = history().at(1).granted(A, 1).granted(B, 2).granted(C, 3);
        history.token(C, 3, 9).token(A, 1, 7).token(B, 2, 8).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_replies_that_swap_tokens() {
        let history = history().at(1).granted(A, 1).granted(B, 2).granted(C, 3);
        history.token(C, 3, 9).token(B, 2, 7).token(A, 1, 8).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn compares_a_late_reply_with_old_tokens() {
        let history = (2..50).fold(history().at(1).granted(A, 1), |history, grant| {
            history.granted(B, grant).token(B, grant, u64::from(grant) * 10)
        });
        history.token(A, 1, 20).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn accepts_a_guard_that_rejects_an_older_grant() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 8);
        history.refused(1, Refusal::Fenced).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_guard_that_rejects_the_newest_grant() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).granted(B, 2).token(B, 2, 8);
        let findings = history.refused(2, Refusal::Fenced).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.named(RULE), (vec![2], vec![B]));
    }

    #[test]
    fn accepts_a_guard_that_rejects_the_newest_grant_for_another_reason() {
        let history = history().at(1).granted(A, 1).token(A, 1, 7).refused(1, Refusal::SoldOut);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn keeps_the_tokens_that_a_pending_grant_may_be_compared_with() {
        let rank = |n| Rank::MIN.saturating_add(n);
        let mut tokens: Vec<Received> =
            (0..9).map(|n| Received { rank: rank(n), grant: GrantId(n), token: u64::from(n) }).collect();
        drop_settled(&mut tokens, Some(rank(5)));
        assert_eq!(tokens.iter().map(|received| received.token).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    }

    #[test]
    fn keeps_one_token_if_no_grant_is_pending() {
        let mut tokens = Vec::new();
        for n in 1..1000 {
            let rank = Rank::MIN.saturating_add(n);
            tokens.push(Received { rank, grant: GrantId(n), token: u64::from(n) });
            drop_settled(&mut tokens, None);
        }
        assert_eq!(tokens.len(), 1);
    }
}
