//! The facts that a lock declares, and what its documentation promises.

use serde::Serialize;

/// The facts about a lock, from its documentation. [`LockInfo::new`] sets defaults, so a lock declares only what
/// differs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LockInfo {
    /// The name used in files, flags and reports.
    pub name: &'static str,
    /// One sentence for lists and docs.
    pub about: &'static str,
    /// The kind of service that implements the lock.
    pub family: Family,
    /// What ends the grant of a holder that stops, and by which clock.
    pub expiry: Expiry,
    /// Whether the lock lives in the store that it guards, so one transaction includes both the lock and the write.
    pub in_store: bool,
    /// Whether writes take effect only when the release commits them.
    pub commits_at_release: bool,
    /// Whether the lock has grants. An optimistic version check has none.
    pub grants: bool,
    /// Whether grants state how long they are valid.
    pub validity: bool,
    /// Whether the lock uses several servers with the documented default parameters.
    pub replicated: bool,
    /// What the public API offers to a client.
    pub offers: Offers,
    /// The named variants: ports or settings that differ. The first one is the default. Empty if there is only one.
    pub variants: &'static [VariantInfo],
    /// Whether the data can live in the service, where a write is conditional on owning the lock (guard `owner-txn`).
    pub owner_txn: bool,
    /// Whether the documentation promises to serve waiters in order of arrival.
    pub fifo: bool,
    /// The effect of an acquire by a client that already holds the lock.
    pub reentrancy: Reentrancy,
    /// The statements of the documentation about the requirements.
    pub promises: &'static [Promise],
    /// Flaws of the real implementation that are always enabled.
    pub flawed_defaults: &'static [&'static str],
    /// The bugs that can be enabled.
    pub bugs: &'static [BugInfo],
    /// The text of `expectations.toml`, which overrides the expectations that scenarios state for classes of locks.
    /// Empty if the lock overrides none.
    #[serde(skip)]
    pub expectations: &'static str,
    /// The reference that the model was checked against.
    pub verification: Verification,
    /// The sources of these facts.
    pub sources: &'static [&'static str],
    /// A note for users of a name that meant another lock in the last release.
    #[serde(skip)]
    pub renamed_note: Option<&'static str>,
}

impl LockInfo {
    /// Creates the facts of a textbook lock with one server. Its grants have no token and no validity, and only a
    /// release ends them.
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
            offers: Offers { token: None, check: None, loss_notice: None, timeout: None },
            variants: &[],
            owner_txn: false,
            fifo: false,
            reentrancy: Reentrancy::NotApplicable,
            promises: &[],
            flawed_defaults: &[],
            bugs: &[],
            expectations: "",
            verification: Verification::Textbook,
            sources: &[],
            renamed_note: None,
        }
    }

    /// Sets the note for users of a name that meant another lock in the last release.
    pub const fn renamed_note(self, note: &'static str) -> Self {
        LockInfo { renamed_note: Some(note), ..self }
    }

    /// Sets the kind of service that implements the lock.
    pub const fn family(self, family: Family) -> Self {
        LockInfo { family, ..self }
    }

    /// Sets what ends the grant of a holder that stops.
    pub const fn expiry(self, expiry: Expiry) -> Self {
        LockInfo { expiry, ..self }
    }

    /// Declares that the lock lives in the store that it guards.
    pub const fn in_store(self) -> Self {
        LockInfo { in_store: true, ..self }
    }

    /// Declares that the release commits the writes.
    pub const fn commits_at_release(self) -> Self {
        LockInfo { commits_at_release: true, ..self }
    }

    /// Declares that the lock has no grants.
    pub const fn without_grants(self) -> Self {
        LockInfo { grants: false, ..self }
    }

    /// Declares that grants state how long they are valid.
    pub const fn validity(self) -> Self {
        LockInfo { validity: true, ..self }
    }

    /// Declares that the lock uses several servers by default.
    pub const fn replicated(self) -> Self {
        LockInfo { replicated: true, ..self }
    }

    /// Sets the call that gives the fencing token of a grant.
    pub const fn token(self, token: &'static str) -> Self {
        LockInfo { offers: Offers { token: Some(token), ..self.offers }, ..self }
    }

    /// Removes the fencing token, for settings that have none.
    pub const fn without_token(self) -> Self {
        LockInfo { offers: Offers { token: None, ..self.offers }, ..self }
    }

    /// Sets the call that checks whether the client still holds the lock.
    pub const fn check(self, check: &'static str) -> Self {
        LockInfo { offers: Offers { check: Some(check), ..self.offers }, ..self }
    }

    /// Removes the check, for settings that have none.
    pub const fn without_check(self) -> Self {
        LockInfo { offers: Offers { check: None, ..self.offers }, ..self }
    }

    /// Sets how the library notifies a client that it lost the lock.
    pub const fn loss_notice(self, loss_notice: &'static str) -> Self {
        LockInfo { offers: Offers { loss_notice: Some(loss_notice), ..self.offers }, ..self }
    }

    /// Sets how a caller limits the wait for the lock.
    pub const fn timeout(self, timeout: &'static str) -> Self {
        LockInfo { offers: Offers { timeout: Some(timeout), ..self.offers }, ..self }
    }

    /// Sets the named variants, the default first.
    pub const fn variants(self, variants: &'static [VariantInfo]) -> Self {
        LockInfo { variants, ..self }
    }

    /// Declares that the lock's service can store the data and check ownership of the lock in a write.
    pub const fn owner_txn(self) -> Self {
        LockInfo { owner_txn: true, ..self }
    }

    /// Declares that the documentation promises to serve waiters in order of arrival.
    pub const fn fifo(self) -> Self {
        LockInfo { fifo: true, ..self }
    }

    /// Sets the effect of an acquire by a client that already holds the lock.
    pub const fn reentrancy(self, reentrancy: Reentrancy) -> Self {
        LockInfo { reentrancy, ..self }
    }

    /// Sets the statements of the documentation about the requirements.
    pub const fn promises(self, promises: &'static [Promise]) -> Self {
        LockInfo { promises, ..self }
    }

    /// Sets the flaws that are always enabled.
    pub const fn flawed_defaults(self, flawed_defaults: &'static [&'static str]) -> Self {
        LockInfo { flawed_defaults, ..self }
    }

    /// Sets the bugs that can be enabled.
    pub const fn bugs(self, bugs: &'static [BugInfo]) -> Self {
        LockInfo { bugs, ..self }
    }

    /// Sets the text of `expectations.toml`.
    pub const fn expectations(self, expectations: &'static str) -> Self {
        LockInfo { expectations, ..self }
    }

    /// Sets the reference that the model was checked against.
    pub const fn verification(self, verification: Verification) -> Self {
        LockInfo { verification, ..self }
    }

    /// Sets the sources of these facts.
    pub const fn sources(self, sources: &'static [&'static str]) -> Self {
        LockInfo { sources, ..self }
    }

    /// Returns whether grants carry a fencing token.
    pub const fn tokens(&self) -> bool {
        self.offers.token.is_some()
    }

    /// Returns the names of the bugs that the modelled version has.
    pub fn default_bugs(&self) -> impl Iterator<Item = &'static str> {
        self.bugs.iter().filter(|bug| bug.default_on).map(|bug| bug.name)
    }
}

/// What the public API of a lock offers to a client. Each field names the call, or is `None` if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Offers {
    /// The call that gives a fencing token, and the value that it gives.
    pub token: Option<&'static str>,
    /// The call with which a client checks that it still holds the lock, and whether it asks the server.
    pub check: Option<&'static str>,
    /// How the library notifies a client that it lost the lock.
    pub loss_notice: Option<&'static str>,
    /// How a caller limits the wait for the lock.
    pub timeout: Option<&'static str>,
}

/// A named variant of a lock: a port of its algorithm, or settings that differ in practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VariantInfo {
    /// The name, used as `LOCK:VARIANT` in files, flags and reports.
    pub name: &'static str,
    /// What distinguishes it. For the default variant, this also says why it is the default.
    pub about: &'static str,
    /// The source.
    pub source: &'static str,
}

/// The kind of service that implements a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// There is no service.
    None,
    /// A database: its transactions, connections or rows.
    Database,
    /// One or several Redis servers.
    Redis,
    /// Servers that agree by consensus.
    Consensus,
    /// A store with conditional writes, where waiting clients decide that a holder is gone.
    ConditionalStore,
    /// A single server that grants leases.
    LeaseServer,
    /// An in-memory data grid: a partition with backups, without consensus.
    DataGrid,
}

/// What ends the grant of a holder that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expiry {
    /// Only a release.
    Nobody,
    /// The end of the connection or transaction.
    Connection,
    /// The server's wall clock.
    ServerWallClock,
    /// The server's monotonic clock.
    ServerMonotonicClock,
    /// The wall clocks of the clients, which write and compare the times themselves (ShedLock's default).
    ClientWallClock,
    /// The waiting client's monotonic clock, which measures how long the holder's record has not changed (DynamoDB lock
    /// client, Kubernetes leases).
    WaiterMonotonicClock,
    /// The monotonic clock of the current leader.
    LeaderMonotonicClock,
}

/// The effect of an acquire by a client that already holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reentrancy {
    /// The acquire succeeds, and n acquires need n releases.
    Counted,
    /// The acquire succeeds, and one release frees the lock.
    Uncounted,
    /// The acquire fails at once.
    Refused,
    /// The client waits for its own grant until the grant expires or the client gives up.
    SelfDeadlock,
    /// The lock has no grants.
    NotApplicable,
}

/// A statement of a lock's documentation about a requirement.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Promise {
    /// The requirement.
    pub requirement: Requirement,
    /// The answer.
    pub answer: Answer,
    /// The statement, paraphrased.
    pub says: &'static str,
    /// The source of the statement.
    pub source: &'static str,
}

/// A requirement on distributed locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// There is at most one holder at a time.
    Exclusive,
    /// A crashed holder does not block the other clients forever.
    AvoidsDeadlock,
    /// The lock can be acquired while some nodes are down.
    HighlyAvailable,
    /// A holder can acquire again.
    Reentrant,
    /// Grants are numbered, so a store can refuse a former holder.
    Fencing,
    /// Waiters get the lock in order of arrival.
    Order,
}

/// Whether documentation promises a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The documentation promises the requirement.
    Yes,
    /// The documentation denies the requirement.
    No,
    /// The documentation promises the requirement under stated conditions.
    Conditional,
    /// The documentation does not mention the requirement.
    Silent,
}

/// The reference that a model was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum Verification {
    /// Only documentation.
    Documentation,
    /// The source code of the implementation.
    Source {
        /// The version that was read.
        version: &'static str,
        /// The date on which it was read, as `YYYY-MM-DD`.
        read: &'static str,
    },
    /// Only textbooks, since there is no product.
    Textbook,
}

/// A bug of real implementations, which can be switched on or off.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BugInfo {
    /// The name for `--bug`.
    pub name: &'static str,
    /// A clause that describes the failure.
    pub about: &'static str,
    /// A scenario that shows the bug. Without the bug, the model violates no property in it.
    pub scenario: &'static str,
    /// The property that the bug violates in the scenario.
    pub property: &'static str,
    /// The source of the bug.
    pub source: &'static str,
    /// The first version with the bug.
    pub since: &'static str,
    /// The version that fixed it, or `None` if it is open.
    pub fixed_in: Option<&'static str>,
    /// Whether the modelled version has the bug, so it is on unless `--fix` switches it off.
    pub default_on: bool,
}

impl Requirement {
    /// All requirements, in the order used by reports.
    pub const ALL: [Requirement; 6] = [
        Requirement::Exclusive,
        Requirement::AvoidsDeadlock,
        Requirement::HighlyAvailable,
        Requirement::Reentrant,
        Requirement::Fencing,
        Requirement::Order,
    ];

    /// Returns the name used in reports.
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
    /// Returns the name used in reports.
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
    /// Returns the text used in reports.
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
    /// Returns the name used in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Family::None => "none",
            Family::Database => "database",
            Family::Redis => "Redis",
            Family::Consensus => "consensus",
            Family::ConditionalStore => "store with conditional writes",
            Family::LeaseServer => "lease server",
            Family::DataGrid => "data grid",
        }
    }
}

impl Reentrancy {
    /// Returns the text used in reports.
    pub const fn text(self) -> &'static str {
        match self {
            Reentrancy::Counted => "counted: n acquires need n releases",
            Reentrancy::Uncounted => "uncounted: acquiring again succeeds, and one release frees the lock",
            Reentrancy::Refused => "refused: an error at once",
            Reentrancy::SelfDeadlock => "self-deadlock: the holder waits for itself",
            Reentrancy::NotApplicable => "not applicable: the lock has no grants",
        }
    }
}

impl Verification {
    /// Returns the name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Verification::Documentation => "documentation",
            Verification::Source { .. } => "source",
            Verification::Textbook => "textbook",
        }
    }

    /// Returns the text used in reports.
    pub fn text(self) -> String {
        match self {
            Verification::Documentation => "checked against documentation only".into(),
            Verification::Source { version, read } => {
                format!("checked against the source of {version}, read on {read}")
            }
            Verification::Textbook => "textbook: there is no product to check the model against".into(),
        }
    }
}
