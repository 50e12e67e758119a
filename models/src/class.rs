//! Classes of locks, which scenario files can use instead of lists of locks. Classes are derived from the declared
//! facts of each lock.

use crate::info::{Expiry, Family, LockInfo};

/// A class of locks, written `@NAME` in scenario files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Every lock.
    All,
    /// A clock ends the grant of a holder that stops: a lease, a time to live, or a session with a timeout.
    Lease,
    /// A grant ends with the client's session or connection at the service.
    Session,
    /// The servers agree by consensus.
    Consensus,
    /// The lock lives in the store that it guards.
    InStore,
    /// Grants carry a fencing token.
    Fencing,
    /// Grants state how long they are valid.
    Validity,
    /// The lock uses several servers with the documented default parameters.
    Replicated,
    /// The lock uses one server with the documented default parameters.
    SingleServer,
}

impl Class {
    /// All classes, in the order used by lists.
    pub const ALL: [Class; 9] = [
        Class::All,
        Class::Lease,
        Class::Session,
        Class::Consensus,
        Class::InStore,
        Class::Fencing,
        Class::Validity,
        Class::Replicated,
        Class::SingleServer,
    ];

    /// Returns the name without the `@`.
    pub const fn name(self) -> &'static str {
        match self {
            Class::All => "all",
            Class::Lease => "lease",
            Class::Session => "session",
            Class::Consensus => "consensus",
            Class::InStore => "in-store",
            Class::Fencing => "fencing",
            Class::Validity => "validity",
            Class::Replicated => "replicated",
            Class::SingleServer => "single-server",
        }
    }

    /// Returns a clause for lists and docs.
    pub const fn about(self) -> &'static str {
        match self {
            Class::All => "every lock",
            Class::Lease => "a clock ends the grant of a holder that stops: a lease, a time to live, a session timeout",
            Class::Session => "a grant ends with the client's session or connection at the service",
            Class::Consensus => "the servers agree by consensus",
            Class::InStore => "the lock lives in the store that it guards",
            Class::Fencing => "grants carry a fencing token",
            Class::Validity => "grants state how long they are valid",
            Class::Replicated => "the lock uses several servers by default",
            Class::SingleServer => "the lock uses one server by default",
        }
    }

    /// Returns the class with this name, given without the `@`.
    pub fn from_name(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Returns whether a lock with these facts belongs to the class.
    pub const fn matches(self, lock: &LockInfo) -> bool {
        match self {
            Class::All => true,
            Class::Lease => !matches!(lock.expiry, Expiry::Nobody | Expiry::Connection),
            Class::Session => {
                matches!(lock.expiry, Expiry::Connection) || matches!(lock.family, Family::Consensus | Family::DataGrid)
            }
            Class::Consensus => matches!(lock.family, Family::Consensus),
            Class::InStore => lock.in_store,
            Class::Fencing => lock.tokens(),
            Class::Validity => lock.validity,
            Class::Replicated => lock.replicated,
            Class::SingleServer => !lock.replicated && !matches!(lock.family, Family::None),
        }
    }
}

impl LockInfo {
    /// Returns the classes that the lock belongs to, in the order of [`Class::ALL`].
    pub fn classes(&self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(|class| class.matches(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_found_by_its_name() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(class));
        }
        assert_eq!(Class::from_name("@lease"), None);
    }

    #[test]
    fn a_session_with_a_timeout_is_also_a_lease_but_a_connection_is_not() {
        let names = |info: LockInfo| info.classes().map(Class::name).collect::<Vec<_>>();
        let lock = LockInfo::new("example", "a lock");
        let leader_lease = lock.family(Family::Consensus).expiry(Expiry::LeaderMonotonicClock).replicated();
        assert_eq!(names(leader_lease), ["all", "lease", "session", "consensus", "replicated"]);
        let connection = lock.family(Family::Database).expiry(Expiry::Connection);
        assert_eq!(names(connection), ["all", "session", "single-server"]);
        assert_eq!(names(lock), ["all"]);
    }
}
