//! Pairs the beginning and the end of each operation.

use std::collections::BTreeMap;

use super::line::{Function, Line, Phase};
use super::{HistoryFile, LineError};
use crate::linearizable::Entry;
use crate::spec::{Call, Kind, Operation, Owner};

/// The pending and the completed operations.
pub(super) struct Pairs {
    spec: Kind,
    history: HistoryFile,
    locks: Numbers,
    owners: Numbers,
    /// The pending operation of each process, with its line number.
    pending: BTreeMap<String, (u64, Line)>,
}

/// Names with their numbers.
#[derive(Default)]
struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    fn number_of(&mut self, name: &str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    fn into_names(self) -> Vec<String> {
        let mut names: Vec<(String, u32)> = self.0.into_iter().collect();
        names.sort_unstable_by_key(|(_, number)| *number);
        names.into_iter().map(|(name, _)| name).collect()
    }
}

impl Pairs {
    pub(super) fn new(spec: Kind) -> Self {
        let history = HistoryFile::default();
        Pairs { spec, history, locks: Numbers::default(), owners: Numbers::default(), pending: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, number: u64, line: Line) -> Result<(), LineError> {
        if line.phase == Phase::Invoke {
            return self.begin(number, line);
        }
        let Some((begun, invoked)) = self.pending.remove(&line.process) else {
            let message = format!("process {} ends an operation, but none is pending", line.process);
            return Err(LineError::new(message, "write the line with `\"type\":\"invoke\"` before it"));
        };
        check_match(begun, &invoked, &line)?;
        let token = line.token.or(invoked.token);
        let complete = Line { token, ..invoked };
        match line.phase {
            Phase::Invoke => {}
            Phase::Ok => {
                self.check_token(&complete)?;
                self.push(begun, Some(number), &complete);
            }
            Phase::Fail => self.history.failed += 1,
            Phase::Info => self.push(begun, None, &complete),
        }
        Ok(())
    }

    /// Returns the history. The outcome of pending operations is unknown.
    pub(super) fn finish(mut self) -> HistoryFile {
        for (_, (begun, line)) in std::mem::take(&mut self.pending) {
            self.push(begun, None, &line);
        }
        let HistoryFile { entries, processes, failed, .. } = self.history;
        let mut both: Vec<_> = entries.into_iter().zip(processes).collect();
        both.sort_by_key(|((_, entry), _)| entry.invoked);
        let (entries, processes) = both.into_iter().unzip();
        HistoryFile { entries, processes, failed, locks: self.locks.into_names(), owners: self.owners.into_names() }
    }

    fn begin(&mut self, number: u64, line: Line) -> Result<(), LineError> {
        if line.f == Function::Expire && line.owner.is_none() {
            return Err(LineError::new("this expiry does not name the owner of the grant", "add `owner`"));
        }
        if line.permits == Some(0) {
            return Err(LineError::new("`permits` is 0", "use at least 1, which is the default"));
        }
        match self.pending.get(&line.process) {
            None => {
                self.pending.insert(line.process.clone(), (number, line));
                Ok(())
            }
            Some((begun, known)) => {
                let message = format!(
                    "the {} that process {} began in line {begun} is still pending",
                    known.f.name(),
                    line.process
                );
                let help = "a process has one operation at a time: end operations of unknown outcome with `info`, and \
                            use a separate process for each concurrent operation";
                Err(LineError::new(message, help))
            }
        }
    }

    fn check_token(&self, line: &Line) -> Result<(), LineError> {
        if line.f != Function::Acquire || !self.spec.needs_tokens() || line.token.is_some() {
            return Ok(());
        }
        let message = format!("this acquire is ok and has no `token`, which `{}` checks", self.spec.name());
        Err(LineError::new(message, "add `token`, or check with --spec owner or --spec reentrant"))
    }

    fn push(&mut self, invoked: u64, returned: Option<u64>, line: &Line) {
        let Line { f, token, permits, .. } = *line;
        let permits = permits.unwrap_or(1);
        let call = match f {
            Function::Acquire => Call::Acquire { token, permits },
            Function::Release => Call::Release { token, permits },
            Function::Expire => Call::Expire,
        };
        let lock = self.locks.number_of(line.lock.as_deref().unwrap_or_default());
        let owner = Owner(self.owners.number_of(line.owner.as_ref().unwrap_or(&line.process)));
        self.history.entries.push((lock, Entry { operation: Operation { owner, call }, invoked, returned }));
        self.history.processes.push(line.process.clone());
    }
}

/// Checks that the line can end the operation that began in line `begun`.
fn check_match(begun: u64, invoked: &Line, line: &Line) -> Result<(), LineError> {
    let help = || format!("this line ends the operation of line {begun}, so both must agree");
    if invoked.f != line.f {
        let message = format!("the pending operation is not a {} but a {}", line.f.name(), invoked.f.name());
        return Err(LineError::new(message, help()));
    }
    let owner = invoked.owner.as_ref().unwrap_or(&invoked.process);
    let lock = invoked.lock.as_deref().unwrap_or_default();
    let differs = [
        ("owner", line.owner.as_ref().is_some_and(|name| name != owner)),
        ("lock", line.lock.as_deref().is_some_and(|name| name != lock)),
        ("permits", line.permits.is_some_and(|permits| permits != invoked.permits.unwrap_or(1))),
        ("token", line.token.is_some() && invoked.token.is_some_and(|token| Some(token) != line.token)),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        Some((field, _)) => {
            Err(LineError::new(format!("`{field}` differs from the beginning of the operation"), help()))
        }
        None => Ok(()),
    }
}
