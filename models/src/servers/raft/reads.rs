//! Pending linearizable reads. All waiting reads share one round trip to the leader, as in etcd
//! (server/etcdserver/v3_server.go, `linearizableReadLoop`).

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
    /// The index that must be applied before the reads are answered, once known.
    index: Option<u64>,
}

impl<T> Default for Reads<T> {
    fn default() -> Self {
        Reads { waiting: Vec::new(), round: None }
    }
}

impl<T> Reads<T> {
    pub fn is_empty(&self) -> bool {
        self.round.is_none() && self.waiting.is_empty()
    }

    pub fn wait(&mut self, ticket: T, now: u64) {
        self.waiting.push((ticket, now));
    }

    pub fn can_begin(&self) -> bool {
        self.round.is_none() && !self.waiting.is_empty()
    }

    pub fn begin(&mut self, id: u64, now: u64) {
        self.round = Some(Round { id, sent: now, tickets: std::mem::take(&mut self.waiting), index: None });
    }

    pub fn confirm(&mut self, id: u64, index: u64) {
        if let Some(round) = self.round.as_mut().filter(|round| round.id == id) {
            // The first answer suffices: it was given after the reads had been requested.
            round.index.get_or_insert(index);
        }
    }

    /// Ends the round and returns its reads, if they can be answered.
    pub fn finish(&mut self, applied: u64) -> Option<impl Iterator<Item = T> + use<T>> {
        let ready = |round: &mut Round<T>| round.index.is_some_and(|index| index <= applied);
        Some(self.round.take_if(ready)?.tickets.into_iter().map(|(ticket, _)| ticket))
    }

    /// The ID of the round, if it must be sent again.
    pub fn overdue(&mut self, late: impl Fn(u64) -> bool, now: u64) -> Option<u64> {
        let round = self.round.as_mut().filter(|round| round.index.is_none() && late(round.sent))?;
        round.sent = now;
        Some(round.id)
    }

    /// Passes the reads that have waited too long to `fail`.
    pub fn expire(&mut self, too_old: impl Fn(u64) -> bool, mut fail: impl FnMut(T)) {
        let mut expire = |tickets: &mut Vec<(T, u64)>| {
            let expired = tickets.partition_point(|(_, born)| too_old(*born));
            tickets.drain(..expired).for_each(|(ticket, _)| fail(ticket));
        };
        if let Some(round) = &mut self.round {
            expire(&mut round.tickets);
        }
        expire(&mut self.waiting);
    }

    pub fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        let round = self.round.take().map(|round| round.tickets).unwrap_or_default();
        round.into_iter().chain(std::mem::take(&mut self.waiting)).map(|(ticket, _)| ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(tickets: &[u32]) -> Reads<u32> {
        let mut reads = Reads::default();
        tickets.iter().for_each(|ticket| reads.wait(*ticket, 0));
        reads.begin(7, 0);
        reads
    }

    #[test]
    fn a_round_ends_when_its_index_is_applied() {
        let mut reads = started(&[1, 2]);
        reads.wait(3, 1);
        assert!(!reads.can_begin(), "one round at a time");
        reads.confirm(6, 1);
        assert!(reads.finish(9).is_none(), "the answer belongs to another round");
        reads.confirm(7, 10);
        assert!(reads.finish(9).is_none());
        assert_eq!(reads.finish(10).unwrap().collect::<Vec<_>>(), [1, 2]);
        assert!(reads.can_begin() && !reads.is_empty());
    }

    #[test]
    fn an_unanswered_round_is_sent_again_and_expires() {
        let mut reads = started(&[1]);
        assert_eq!(reads.overdue(|sent| sent < 5, 5), Some(7));
        assert_eq!(reads.overdue(|sent| sent < 5, 6), None);
        let mut lost = Vec::new();
        reads.wait(2, 8);
        reads.expire(|born| born < 8, |ticket| lost.push(ticket));
        assert_eq!((lost, reads.take_all().collect()), (vec![1], vec![2]));
        assert!(reads.is_empty());
    }
}
