//! The facts that a lock declares, and what its documentation promises.

use serde::Serialize;

/// What a lock is, according to its documentation. [`LockInfo::new`] has defaults; a lock states only what differs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LockInfo {
    /// Its name in files, flags and reports.
    pub name: &'static str,
    /// One sentence for lists and docs.
    pub about: &'static str,
    /// The kind of service that keeps it.
    pub family: Family,
    /// Who ends the grant of a holder that stops, and by which clock.
    pub expiry: Expiry,
    /// It lives in the store that it guards, so that one transaction holds both the lock and the write.
    pub in_store: bool,
    /// A write takes effect with the release, which commits it.
    pub commits_at_release: bool,
    /// It has grants; an optimistic version check has none.
    pub grants: bool,
    /// Its grants state until when they are valid.
    pub validity: bool,
    /// Several servers keep it, with the documented default parameters.
    pub replicated: bool,
    /// What serves as fencing token of a grant, if anything does.
    pub token: Option<&'static str>,
    /// The data can live in the service, where a write is conditional on owning the lock (guard `owner-txn`).
    pub owner_txn: bool,
    /// Its documentation promises the lock to waiters in order of arrival.
    pub fifo: bool,
    /// The effect of an acquire by a client that already holds the lock.
    pub reentrancy: Reentrancy,
    /// What its documentation says about the requirements.
    pub promises: &'static [Promise],
    /// Flaws of the real implementation, which are always on.
    pub flawed_defaults: &'static [&'static str],
    /// The bugs that can be switched on.
    pub bugs: &'static [BugInfo],
    /// The text of its `expectations.toml`, which says what it shows in scenarios whose classes say otherwise; empty if
    /// the classes say it all.
    #[serde(skip)]
    pub expectations: &'static str,
    /// What the model can be checked against.
    pub verification: Verification,
    /// Where all this is documented.
    pub sources: &'static [&'static str],
}

impl LockInfo {
    /// A lock of one textbook server, whose grants carry no token and no validity and end only with their release.
    pub const fn new(name: &'static str, about: &'static str) -> Self {
        LockInfo {
            name,
            about,
            family: Family::None,
            expiry: Expiry::Nobody,
            in_store: false,
            commits_at_release: false,
            grants: true,
            validity: false,
            replicated: false,
            token: None,
            owner_txn: false,
            fifo: false,
            reentrancy: Reentrancy::NotApplicable,
            promises: &[],
            flawed_defaults: &[],
            bugs: &[],
            expectations: "",
            verification: Verification::Textbook,
            sources: &[],
        }
    }

    /// Sets the kind of service that keeps it.
    pub const fn family(self, family: Family) -> Self {
        LockInfo { family, ..self }
    }

    /// Sets who ends the grant of a holder that stops.
    pub const fn expiry(self, expiry: Expiry) -> Self {
        LockInfo { expiry, ..self }
    }

    /// Declares that the lock lives in the store that it guards.
    pub const fn in_store(self) -> Self {
        LockInfo { in_store: true, ..self }
    }

    /// Declares that the release commits what was written.
    pub const fn commits_at_release(self) -> Self {
        LockInfo { commits_at_release: true, ..self }
    }

    /// Declares that there are no grants.
    pub const fn without_grants(self) -> Self {
        LockInfo { grants: false, ..self }
    }

    /// Declares that grants state until when they are valid.
    pub const fn validity(self) -> Self {
        LockInfo { validity: true, ..self }
    }

    /// Declares that several servers keep the lock by default.
    pub const fn replicated(self) -> Self {
        LockInfo { replicated: true, ..self }
    }

    /// Sets what serves as fencing token.
    pub const fn token(self, token: &'static str) -> Self {
        LockInfo { token: Some(token), ..self }
    }

    /// Declares that the lock's service can hold the data and check the ownership in a write.
    pub const fn owner_txn(self) -> Self {
        LockInfo { owner_txn: true, ..self }
    }

    /// Declares that the documentation promises order of arrival.
    pub const fn fifo(self) -> Self {
        LockInfo { fifo: true, ..self }
    }

    /// Sets the effect of an acquire by a client that already holds the lock.
    pub const fn reentrancy(self, reentrancy: Reentrancy) -> Self {
        LockInfo { reentrancy, ..self }
    }

    /// Sets what the documentation says about the requirements.
    pub const fn promises(self, promises: &'static [Promise]) -> Self {
        LockInfo { promises, ..self }
    }

    /// Sets the flaws that are always on.
    pub const fn flawed_defaults(self, flawed_defaults: &'static [&'static str]) -> Self {
        LockInfo { flawed_defaults, ..self }
    }

    /// Sets the bugs that can be switched on.
    pub const fn bugs(self, bugs: &'static [BugInfo]) -> Self {
        LockInfo { bugs, ..self }
    }

    /// Sets the text of its `expectations.toml`.
    pub const fn expectations(self, expectations: &'static str) -> Self {
        LockInfo { expectations, ..self }
    }

    /// Sets what the model can be checked against.
    pub const fn verification(self, verification: Verification) -> Self {
        LockInfo { verification, ..self }
    }

    /// Sets where all this is documented.
    pub const fn sources(self, sources: &'static [&'static str]) -> Self {
        LockInfo { sources, ..self }
    }

    /// Whether grants carry a fencing token.
    pub const fn tokens(&self) -> bool {
        self.token.is_some()
    }
}

/// The kind of service that keeps a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// None.
    None,
    /// A database: its transactions, connections or rows.
    Database,
    /// Redis, one or several.
    Redis,
    /// Servers that agree by consensus.
    Consensus,
    /// A store with conditional writes, where the waiting clients decide that a holder is gone.
    ConditionalStore,
    /// A single server that gives leases.
    LeaseServer,
}

/// Who ends the grant of a holder that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expiry {
    /// Nobody: only a release ends it.
    Nobody,
    /// The end of the connection or transaction.
    Connection,
    /// The server's wall clock.
    ServerWallClock,
    /// The server's monotonic clock.
    ServerMonotonicClock,
    /// The wall clocks of the clients, which write and compare the times themselves (ShedLock's default).
    ClientWallClock,
    /// The waiting client's monotonic clock: it measures how long the holder's record is unchanged (DynamoDB lock client,
    /// Kubernetes leases).
    WaiterMonotonicClock,
    /// The monotonic clock of the current leader.
    LeaderMonotonicClock,
}

/// The effect of an acquire by a client that already holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reentrancy {
    /// It succeeds, and n acquires need n releases.
    Counted,
    /// It succeeds, and one release frees the lock.
    Uncounted,
    /// It fails at once.
    Refused,
    /// The client waits for itself, until its own grant expires or it gives up.
    SelfDeadlock,
    /// There is nothing to hold.
    NotApplicable,
}

/// The statement of a lock's documentation about a requirement.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Promise {
    /// The requirement.
    pub requirement: Requirement,
    /// The answer, in short.
    pub answer: Answer,
    /// The statement, paraphrased.
    pub says: &'static str,
    /// Where it is made.
    pub source: &'static str,
}

/// A requirement on distributed locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// One holder at a time.
    Exclusive,
    /// A holder that crashes does not block the others for ever.
    AvoidsDeadlock,
    /// The lock can be acquired while some nodes are down.
    HighlyAvailable,
    /// A holder may acquire again.
    Reentrant,
    /// Grants are numbered, so that a store can refuse an old holder.
    Fencing,
    /// First come, first served.
    Order,
}

/// Whether documentation promises a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It promises it.
    Yes,
    /// It denies it.
    No,
    /// It promises it under named conditions.
    Conditional,
    /// It says nothing about it.
    Silent,
}

/// What a model can be checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// A real server of its kind, which can be run. This does not claim that the model was checked.
    RealServerAvailable,
    /// Only documentation and source.
    Documentation,
    /// Only a textbook: there is no product.
    Textbook,
}

/// A bug of real implementations that can be switched on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BugInfo {
    /// Its name for `--bug`.
    pub name: &'static str,
    /// The failure.
    pub about: &'static str,
    /// A scenario that shows it, and in which the model without the bug violates nothing.
    pub scenario: &'static str,
    /// The property that it violates there.
    pub property: &'static str,
    /// Where it was seen.
    pub source: &'static str,
}

impl Requirement {
    /// All requirements, in the order of reports.
    pub const ALL: [Requirement; 6] = [
        Requirement::Exclusive,
        Requirement::AvoidsDeadlock,
        Requirement::HighlyAvailable,
        Requirement::Reentrant,
        Requirement::Fencing,
        Requirement::Order,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Requirement::Exclusive => "exclusive",
            Requirement::AvoidsDeadlock => "avoids deadlock",
            Requirement::HighlyAvailable => "highly available",
            Requirement::Reentrant => "reentrant",
            Requirement::Fencing => "fencing",
            Requirement::Order => "order",
        }
    }
}

impl Answer {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::Conditional => "under conditions",
            Answer::Silent => "says nothing",
        }
    }
}

impl Expiry {
    /// Its text in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Expiry::Nobody => "nobody",
            Expiry::Connection => "the end of the connection or transaction",
            Expiry::ServerWallClock => "the server's wall clock",
            Expiry::ServerMonotonicClock => "the server's monotonic clock",
            Expiry::ClientWallClock => "the clients' wall clocks",
            Expiry::WaiterMonotonicClock => "the waiting client's monotonic clock",
            Expiry::LeaderMonotonicClock => "the leader's monotonic clock",
        }
    }
}

impl Family {
    /// Its name in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Family::None => "none",
            Family::Database => "database",
            Family::Redis => "Redis",
            Family::Consensus => "consensus",
            Family::ConditionalStore => "store with conditional writes",
            Family::LeaseServer => "lease server",
        }
    }
}

impl Reentrancy {
    /// Its text in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Reentrancy::Counted => "counted: n acquires need n releases",
            Reentrancy::Uncounted => "uncounted: acquiring again succeeds, one release frees it",
            Reentrancy::Refused => "refused: an error at once",
            Reentrancy::SelfDeadlock => "self-deadlock: the holder waits for itself",
            Reentrancy::NotApplicable => "not applicable: there is nothing to hold",
        }
    }
}

impl Verification {
    /// Its text in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Verification::RealServerAvailable => "a real server is available to check the model against",
            Verification::Documentation => "modelled from documentation and source only",
            Verification::Textbook => "textbook: there is no product to check the model against",
        }
    }
}
