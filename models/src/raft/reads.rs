//! Reads on their way to the leader, one round at a time for all that wait, as etcd does it (server/etcdserver/
//! v3_server.go, `linearizableReadLoop`).

/// The reads of one server. Times are ticks.
#[derive(Debug)]
pub(super) struct Reads<T> {
    waiting: Vec<(T, u64)>,
    round: Option<Round<T>>,
}

#[derive(Debug)]
struct Round<T> {
    id: u64,
    sent: u64,
    tickets: Vec<(T, u64)>,
    /// What must have been applied before they are answered, once that is known.
    index: Option<u64>,
}

impl<T> Default for Reads<T> {
    fn default() -> Self {
        Reads { waiting: Vec::new(), round: None }
    }
}

impl<T> Reads<T> {
    pub fn idle(&self) -> bool {
        self.round.is_none() && self.waiting.is_empty()
    }

    pub fn wait(&mut self, ticket: T, now: u64) {
        self.waiting.push((ticket, now));
    }

    pub fn may_begin(&self) -> bool {
        self.round.is_none() && !self.waiting.is_empty()
    }

    pub fn begin(&mut self, id: u64, now: u64) {
        self.round = Some(Round { id, sent: now, tickets: std::mem::take(&mut self.waiting), index: None });
    }

    pub fn confirm(&mut self, id: u64, index: u64) {
        if let Some(round) = self.round.as_mut().filter(|round| round.id == id) {
            // The first answer is as good as any: it was given after the reads were asked for.
            round.index.get_or_insert(index);
        }
    }

    /// The reads of the round, if they may be answered now.
    pub fn end(&mut self, applied: u64) -> Option<impl Iterator<Item = T> + use<T>> {
        let ready = |round: &mut Round<T>| round.index.is_some_and(|index| index <= applied);
        Some(self.round.take_if(ready)?.tickets.into_iter().map(|(ticket, _)| ticket))
    }

    /// The round's number, if it is to be asked for again.
    pub fn overdue(&mut self, late: impl Fn(u64) -> bool, now: u64) -> Option<u64> {
        let round = self.round.as_mut().filter(|round| round.index.is_none() && late(round.sent))?;
        round.sent = now;
        Some(round.id)
    }

    /// Gives up those that have waited for too long.
    pub fn expire(&mut self, old: impl Fn(u64) -> bool, mut lose: impl FnMut(T)) {
        let mut sift = |tickets: &mut Vec<(T, u64)>| {
            let gone = tickets.partition_point(|(_, born)| old(*born));
            tickets.drain(..gone).for_each(|(ticket, _)| lose(ticket));
        };
        if let Some(round) = &mut self.round {
            sift(&mut round.tickets);
        }
        sift(&mut self.waiting);
    }

    pub fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        let round = self.round.take().map(|round| round.tickets).unwrap_or_default();
        round.into_iter().chain(std::mem::take(&mut self.waiting)).map(|(ticket, _)| ticket)
    }
}
