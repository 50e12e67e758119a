//! The events of a history in order, and a reader that goes along them and back.

use super::Entry;

/// An operation begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Invoked(usize),
    Returned(usize),
}

/// The events of a history, a place among them, and what is under way there.
pub(super) struct Timeline {
    events: Vec<Event>,
    at: usize,
    under_way: Vec<usize>,
}

impl Timeline {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut events = Vec::with_capacity(2 * entries.len());
        for (index, entry) in entries.iter().enumerate() {
            events.push((entry.invoked, Event::Invoked(index)));
            if let Some(returned) = entry.returned {
                assert!(entry.invoked < returned, "an operation is invoked before it returns");
                events.push((returned, Event::Returned(index)));
            }
        }
        events.sort_unstable_by_key(|(place, _)| *place);
        assert!(events.windows(2).all(|pair| pair[0].0 < pair[1].0), "no two events are at the same place");
        Timeline { events: events.into_iter().map(|(_, event)| event).collect(), at: 0, under_way: Vec::new() }
    }

    /// The place where the reader is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The operations under way at this place.
    pub(super) fn under_way(&self) -> &[usize] {
        &self.under_way
    }

    /// Reads on to the next return, and says of what. The reader stays right before it until [`Timeline::pass`].
    pub(super) fn next_return(&mut self) -> Option<usize> {
        while let Some(event) = self.events.get(self.at) {
            match *event {
                Event::Invoked(entry) => self.under_way.push(entry),
                Event::Returned(entry) => return Some(entry),
            }
            self.at += 1;
        }
        None
    }

    /// Goes past the return where the reader stands.
    pub(super) fn pass(&mut self) {
        if let Some(Event::Returned(entry)) = self.events.get(self.at) {
            self.under_way.retain(|other| other != entry);
            self.at += 1;
        }
    }

    /// Goes back to an earlier place.
    pub(super) fn go_back_to(&mut self, place: usize) {
        while self.at > place {
            self.at -= 1;
            match self.events[self.at] {
                Event::Invoked(entry) => self.under_way.retain(|other| *other != entry),
                Event::Returned(entry) => {
                    let here = self.under_way.partition_point(|other| *other < entry);
                    self.under_way.insert(here, entry);
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
    fn it_stops_at_each_return_and_goes_back_the_way_it_came() {
        let mut timeline = Timeline::new(&history("a+? b+? b+! c+? c+! a+!").entries);
        assert_eq!((timeline.next_return(), timeline.at()), (Some(1), 2));
        assert_eq!(timeline.under_way(), [0, 1]);
        timeline.pass();
        assert_eq!((timeline.next_return(), timeline.under_way()), (Some(2), [0, 2].as_slice()));
        timeline.pass();
        assert_eq!((timeline.next_return(), timeline.under_way()), (Some(0), [0].as_slice()));
        timeline.go_back_to(2);
        assert_eq!((timeline.next_return(), timeline.under_way()), (Some(1), [0, 1].as_slice()));
        timeline.go_back_to(0);
        assert!(timeline.under_way().is_empty());
    }

    #[test]
    fn it_ends_after_the_last_return() {
        let mut timeline = Timeline::new(&history("a+? a+! b+?").entries);
        assert_eq!(timeline.next_return(), Some(0));
        timeline.pass();
        assert_eq!((timeline.next_return(), timeline.under_way()), (None, [1].as_slice()));
        timeline.pass();
        assert_eq!(timeline.at(), 3);
    }

    #[test]
    #[should_panic(expected = "invoked before it returns")]
    fn nothing_returns_before_it_is_invoked() {
        let mut entries = history("a+? a+!").entries;
        entries[0].returned = Some(entries[0].invoked);
        Timeline::new(&entries);
    }

    #[test]
    #[should_panic(expected = "at the same place")]
    fn every_event_has_a_place_of_its_own() {
        let entries = history("a+? a+!").entries;
        Timeline::new(&[entries[0], entries[0]]);
    }
}
