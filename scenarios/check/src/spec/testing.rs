//! Operations for tests, and assertions about sequences of them.

use fencepost_models::history::Token;

use super::{Call, Operation, Owner, Refusal, Spec};

/// `a`.
pub(crate) const A: Owner = Owner(0);
/// `b`.
pub(crate) const B: Owner = Owner(1);
/// `c`.
pub(crate) const C: Owner = Owner(2);

pub(crate) fn name(owner: Owner) -> String {
    ["a", "b", "c"][owner.0 as usize].to_owned()
}

pub(crate) fn acquire(owner: Owner) -> Operation {
    permits(owner, 1)
}

pub(crate) fn token(owner: Owner, token: Token) -> Operation {
    Operation { owner, call: Call::Acquire { token: Some(token), permits: 1 } }
}

pub(crate) fn permits(owner: Owner, permits: u32) -> Operation {
    Operation { owner, call: Call::Acquire { token: None, permits } }
}

pub(crate) fn release(owner: Owner) -> Operation {
    release_permits(owner, 1)
}

/// Returns a release that names its token.
pub(crate) fn release_token(owner: Owner, token: Token) -> Operation {
    Operation { owner, call: Call::Release { token: Some(token), permits: 1 } }
}

pub(crate) fn release_permits(owner: Owner, permits: u32) -> Operation {
    Operation { owner, call: Call::Release { token: None, permits } }
}

pub(crate) fn expire(owner: Owner) -> Operation {
    Operation { owner, call: Call::Expire }
}

/// Returns the state after these operations. Panics if one of them is rejected.
#[track_caller]
pub(crate) fn after<S: Spec>(start: S, operations: &[Operation]) -> S {
    operations.iter().fold(start, |state, operation| match state.step(operation) {
        Ok(next) => next,
        Err(why) => panic!("{operation:?} in {state:?}: {}", why.clause(&name)),
    })
}

#[track_caller]
pub(crate) fn accepts<S: Spec>(start: S, operations: &[Operation]) {
    after(start, operations);
}

/// Asserts that the last operation is rejected and all others are accepted.
#[track_caller]
pub(crate) fn rejects<S: Spec>(start: S, operations: &[Operation], because: Refusal) {
    let (last, before) = operations.split_last().expect("at least one operation");
    assert_eq!(after(start, before).step(last), Err(because));
}
