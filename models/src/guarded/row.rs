//! The guarded row: its count, and the state of its guards.

use std::collections::BTreeSet;

use serde::Serialize;

use super::message::{Guard, ReadReply, Update, Write};
use crate::history::{GrantId, OrderId, Refusal, Token, Version};

/// The row and the state of its guards.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub count: i64,
    pub version: Version,
    highest_token: Token,
    /// Whether the fence also refuses equal tokens, a bug that can be enabled.
    strict_fence: bool,
    claim: Option<GrantId>,
    applied: BTreeSet<OrderId>,
}

/// One durable change of the row.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A write. If `remember`, the order is stored so that it is not applied again.
    Wrote { count: i64, version: Version, order: OrderId, remember: bool },
    /// A guard saw this fencing token.
    SawToken(Token),
    /// A reader placed a claim.
    Claimed(GrantId),
}

/// A write that took effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub based_on: Version,
    pub version: Version,
    pub count: i64,
}

impl Row {
    pub fn new(stock: i64) -> Self {
        Row { count: stock, version: 0, highest_token: 0, strict_fence: false, claim: None, applied: BTreeSet::new() }
    }

    pub fn with_strict_fence(self, strict: bool) -> Self {
        Row { strict_fence: strict, ..self }
    }

    pub fn reply(&self) -> ReadReply {
        ReadReply { count: self.count, version: self.version }
    }

    /// Checks a read against the guard. The change, if any, must be durable before the store replies.
    pub fn read(&self, guard: Guard, grant: GrantId, token: Option<Token>) -> Result<Option<Change>, Refusal> {
        match (guard, token) {
            (Guard::FenceReads, Some(token)) => self.fence(token).map(Some),
            (Guard::Claim, _) => Ok(Some(Change::Claimed(grant))),
            _ => Ok(None),
        }
    }

    fn fence(&self, token: Token) -> Result<Change, Refusal> {
        // Equal tokens pass, because a holder may write many times.
        let refused = token < self.highest_token || self.strict_fence && token == self.highest_token;
        if refused { Err(Refusal::Fenced) } else { Ok(Change::SawToken(token)) }
    }

    /// Returns whether a write with an id was already applied, so its repetition has no effect.
    pub fn knows(&self, write: &Write) -> bool {
        write.with_id && self.applied.contains(&write.order)
    }

    /// Checks a write against the guard and its condition. Returns the changes.
    pub fn write(&self, guard: Guard, write: &Write) -> Result<(Accepted, [Option<Change>; 2]), Refusal> {
        let fenced = match (guard, write.token) {
            (Guard::FenceWrites | Guard::FenceReads, Some(token)) => Some(self.fence(token)?),
            _ => None,
        };
        // A late duplicate of the claim's message can restore an older claim, so the version must also match.
        if guard == Guard::Claim && (self.claim != Some(write.grant) || self.version != write.read.version) {
            return Err(Refusal::NotClaimed);
        }
        let units = i64::from(write.units);
        let target = if write.adds { write.read.count + units } else { write.read.count - units };
        let (count, based_on) = match write.update {
            Update::Target => (target, write.read.version),
            Update::Version if self.version != write.read.version => return Err(Refusal::StaleVersion),
            Update::Version => (target, self.version),
            Update::Conditional if self.count < units => return Err(Refusal::SoldOut),
            Update::Conditional | Update::Decrement => (self.count - units, self.version),
        };
        let version = self.version + 1;
        let wrote = Change::Wrote { count, version, order: write.order, remember: write.with_id };
        Ok((Accepted { based_on, version, count }, [fenced, Some(wrote)]))
    }

    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Wrote { count, version, order, remember } => {
                (self.count, self.version, self.claim) = (count, version, None);
                if remember {
                    self.applied.insert(order);
                }
            }
            Change::SawToken(token) => self.highest_token = self.highest_token.max(token),
            Change::Claimed(grant) => self.claim = Some(grant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::ResourceId;

    fn write(update: Update, read: ReadReply, token: Option<Token>) -> Write {
        Write {
            grant: GrantId(1),
            order: 0,
            units: 2,
            update,
            read,
            token,
            with_id: false,
            adds: false,
            row: ResourceId(0),
        }
    }

    fn row(count: i64, version: Version) -> Row {
        Row { version, ..Row::new(count) }
    }

    const READ: ReadReply = ReadReply { count: 10, version: 0 };

    #[test]
    fn case_1_writes_the_target_regardless_of_changes_since_the_read() {
        let (accepted, _) = row(7, 1).write(Guard::None, &write(Update::Target, READ, None)).unwrap();
        assert_eq!((accepted.count, accepted.based_on, accepted.version), (8, 0, 2));
    }

    #[test]
    fn units_are_added_to_the_count_that_was_read() {
        let append = Write { adds: true, ..write(Update::Target, READ, None) };
        let (accepted, _) = row(7, 1).write(Guard::None, &append).unwrap();
        assert_eq!((accepted.count, accepted.based_on), (12, 0));
    }

    #[test]
    fn case_2_subtracts_from_the_current_count_even_below_zero() {
        let (accepted, _) = row(1, 1).write(Guard::None, &write(Update::Decrement, READ, None)).unwrap();
        assert_eq!((accepted.count, accepted.based_on), (-1, 1));
    }

    #[test]
    fn conditions_are_checked_against_the_current_row() {
        let refused = |row: Row, update| row.write(Guard::None, &write(update, READ, None)).unwrap_err();
        assert_eq!(refused(row(1, 0), Update::Conditional), Refusal::SoldOut);
        assert_eq!(refused(row(10, 1), Update::Version), Refusal::StaleVersion);
        assert!(row(2, 5).write(Guard::None, &write(Update::Conditional, READ, None)).is_ok());
    }

    #[test]
    fn a_fence_accepts_equal_tokens_and_refuses_lower_ones() {
        let mut row = row(10, 0);
        row.apply(Change::SawToken(5));
        assert!(row.write(Guard::FenceWrites, &write(Update::Target, READ, Some(5))).is_ok());
        let refused = row.write(Guard::FenceWrites, &write(Update::Target, READ, Some(4)));
        assert_eq!(refused.unwrap_err(), Refusal::Fenced);
        assert!(row.read(Guard::FenceWrites, GrantId(1), Some(4)).unwrap().is_none());
        assert_eq!(row.read(Guard::FenceReads, GrantId(1), Some(4)).unwrap_err(), Refusal::Fenced);
    }

    #[test]
    fn a_write_is_refused_after_a_late_duplicate_of_its_older_claim() {
        let mut row = row(10, 0);
        row.apply(row.read(Guard::Claim, GrantId(1), None).unwrap().unwrap());
        row.apply(Change::Claimed(GrantId(2)));
        row.apply(Change::Wrote { count: 8, version: 1, order: 9, remember: false });
        row.apply(Change::Claimed(GrantId(1)));
        let late = row.write(Guard::Claim, &write(Update::Target, READ, None));
        assert_eq!(late.unwrap_err(), Refusal::NotClaimed);
    }
}
