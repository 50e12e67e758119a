//! The bugs of the store's fence, which can be enabled with any lock.

use crate::info::BugInfo;

/// The bugs of the guarded store.
pub const STORE_BUGS: &[BugInfo] = &[REFUSES_EQUAL, NOT_DURABLE];

const REFUSES_EQUAL: BugInfo = BugInfo {
    name: "fence-refuses-equal",
    about: "the store's fence refuses a token that it has already seen, and so the holder's own second operation",
    scenario: "bug-fence-refuses-equal",
    property: "fencing",
    source: "redisson/redisson, RedissonFencedLock.java, class comment: the service has to accept a token that is greater \
             or equal",
    since: "not a product: a mistake of stores",
    fixed_in: None,
    default_on: false,
};

const NOT_DURABLE: BugInfo = BugInfo {
    name: "fence-not-durable",
    about: "the store's fence loses the highest token when the store restarts, and accepts a former holder again",
    scenario: "bug-fence-not-durable",
    property: "effect-exclusion",
    source: "Kleppmann, How to do distributed locking, 2016: the storage has to remember that it has processed a higher \
             token",
    since: "not a product: a mistake of stores",
    fixed_in: None,
    default_on: false,
};

/// The enabled bugs of the fence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FenceBugs {
    /// Whether the fence refuses a token that it has already seen, and so a holder's second operation.
    pub refuses_equal: bool,
    /// Whether the highest token seen is kept only in memory.
    pub not_durable: bool,
}

impl FenceBugs {
    /// Selects the store's bugs from the names of all enabled bugs.
    pub fn among(bugs: &[String]) -> Self {
        let is_on = |bug: &BugInfo| bugs.iter().any(|name| name == bug.name);
        FenceBugs { refuses_equal: is_on(&REFUSES_EQUAL), not_durable: is_on(&NOT_DURABLE) }
    }
}
