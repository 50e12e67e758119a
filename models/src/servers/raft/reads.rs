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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tickets: &[u32]) -> Reads<u32> {
        let mut reads = Reads::default();
        tickets.iter().for_each(|ticket| reads.wait(*ticket, 0));
        reads.begin(7, 0);
        reads
    }

    #[test]
    fn a_round_ends_when_its_index_has_been_applied() {
        let mut reads = asked(&[1, 2]);
        reads.wait(3, 1);
        assert!(!reads.may_begin(), "one round at a time");
        reads.confirm(6, 1);
        assert!(reads.end(9).is_none(), "another round's answer");
        reads.confirm(7, 10);
        assert!(reads.end(9).is_none());
        assert_eq!(reads.end(10).unwrap().collect::<Vec<_>>(), [1, 2]);
        assert!(reads.may_begin() && !reads.idle());
    }

    #[test]
    fn an_unanswered_round_is_asked_for_again_and_given_up() {
        let mut reads = asked(&[1]);
        assert_eq!(reads.overdue(|sent| sent < 5, 5), Some(7));
        assert_eq!(reads.overdue(|sent| sent < 5, 6), None);
        let mut lost = Vec::new();
        reads.wait(2, 8);
        reads.expire(|born| born < 8, |ticket| lost.push(ticket));
        assert_eq!((lost, reads.take_all().collect()), (vec![1], vec![2]));
        assert!(reads.idle());
    }
}
