//! The events of a history in order, with a reader that can move backwards.

use super::Entry;

/// The invocation or the return of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Invoked(usize),
    Returned(usize),
}

/// The events of a history, the position of the reader, and the operations that are pending there.
pub(super) struct Timeline {
    events: Vec<Event>,
    at: usize,
    pending: Vec<usize>,
}

impl Timeline {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut events = Vec::with_capacity(2 * entries.len());
        for (index, entry) in entries.iter().enumerate() {
            events.push((entry.invoked, Event::Invoked(index)));
            if let Some(returned) = entry.returned {
                assert!(entry.invoked < returned, "an operation must be invoked before it returns");
                events.push((returned, Event::Returned(index)));
            }
        }
        events.sort_unstable_by_key(|(position, _)| *position);
        assert!(events.windows(2).all(|pair| pair[0].0 < pair[1].0), "no two events may be at the same position");
        Timeline { events: events.into_iter().map(|(_, event)| event).collect(), at: 0, pending: Vec::new() }
    }

    /// Returns the position of the reader.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the operations that are pending at the reader's position.
    pub(super) fn pending(&self) -> &[usize] {
        &self.pending
    }

    /// Advances to the next return and returns its operation. The reader stays before the return until
    /// [`Timeline::skip_return`] is called.
    pub(super) fn next_return(&mut self) -> Option<usize> {
        while let Some(event) = self.events.get(self.at) {
            match *event {
                Event::Invoked(entry) => self.pending.push(entry),
                Event::Returned(entry) => return Some(entry),
            }
            self.at += 1;
        }
        None
    }

    /// Advances past the return at the reader.
    pub(super) fn skip_return(&mut self) {
        if let Some(Event::Returned(entry)) = self.events.get(self.at) {
            self.pending.retain(|other| other != entry);
            self.at += 1;
        }
    }

    /// Moves back to an earlier position.
    pub(super) fn go_back_to(&mut self, position: usize) {
        while self.at > position {
            self.at -= 1;
            match self.events[self.at] {
                Event::Invoked(entry) => self.pending.retain(|other| *other != entry),
                Event::Returned(entry) => {
                    let index = self.pending.partition_point(|other| *other < entry);
                    self.pending.insert(index, entry);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::history;
    use super::*;

    #[test]
    fn the_reader_stops_at_each_return_and_can_move_back() {
        let mut timeline = Timeline::new(&history("a+? b+? b+! c+? c+! a+!").entries);
        assert_eq!((timeline.next_return(), timeline.at()), (Some(1), 2));
        assert_eq!(timeline.pending(), [0, 1]);
        timeline.skip_return();
        assert_eq!((timeline.next_return(), timeline.pending()), (Some(2), [0, 2].as_slice()));
        timeline.skip_return();
        assert_eq!((timeline.next_return(), timeline.pending()), (Some(0), [0].as_slice()));
        timeline.go_back_to(2);
        assert_eq!((timeline.next_return(), timeline.pending()), (Some(1), [0, 1].as_slice()));
        timeline.go_back_to(0);
        assert!(timeline.pending().is_empty());
    }

    #[test]
    fn the_reader_ends_after_the_last_return() {
        let mut timeline = Timeline::new(&history("a+? a+! b+?").entries);
        assert_eq!(timeline.next_return(), Some(0));
        timeline.skip_return();
        assert_eq!((timeline.next_return(), timeline.pending()), (None, [1].as_slice()));
        timeline.skip_return();
        assert_eq!(timeline.at(), 3);
    }

    #[test]
    #[should_panic(expected = "invoked before it returns")]
    fn an_operation_must_not_return_before_its_invocation() {
        let mut entries = history("a+? a+!").entries;
        entries[0].returned = Some(entries[0].invoked);
        Timeline::new(&entries);
    }

    #[test]
    #[should_panic(expected = "at the same position")]
    fn every_event_must_have_a_unique_position() {
        let entries = history("a+? a+!").entries;
        Timeline::new(&[entries[0], entries[0]]);
    }
}
