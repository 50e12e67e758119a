//! What a lock guards, as the checkers need to know it.

use fencepost_models::guarded::Slot;

/// What the lock guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// A stock of so many units.
    Stock(u32),
    /// Effects that are wanted once for each event.
    Effects {
        /// What counts as one event.
        slot: Slot,
        /// What each superfluous effect costs, in cents, where harm is counted in money.
        cost_cents: Option<u32>,
    },
    /// Records in an object that is read as a whole and written back.
    Records(Object),
    /// Two accounts, each with a lock of its own.
    Accounts {
        /// What is in each at the start.
        balance: u32,
        /// Half of the clients lock them in the other order.
        opposite: bool,
    },
}

/// An object made of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A file.
    File,
    /// A set of unique elements.
    Set,
}

impl Guarded {
    /// How many resources are locked, each with a lock and a row of its own.
    pub const fn resources(self) -> u8 {
        match self {
            Guarded::Accounts { .. } => 2,
            _ => 1,
        }
    }

    /// The count of a row at the start.
    pub const fn first_count(self) -> u32 {
        match self {
            Guarded::Stock(count) | Guarded::Accounts { balance: count, .. } => count,
            Guarded::Effects { .. } | Guarded::Records(_) => 0,
        }
    }
}
