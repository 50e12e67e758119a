//! Sets of entries that share memory. A search may use thousands of operations without a return, but the sets at
//! different points rarely differ in more than a few.

use std::cmp::Ordering;

/// A set of entries: an index into [`Chains`], or `None` for the empty set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain(Option<usize>);

/// The links of all chains. In each chain, entries are in descending order.
#[derive(Default)]
pub(super) struct Chains(Vec<Link>);

struct Link {
    entry: usize,
    rest: Chain,
}

impl Chains {
    /// The number of links.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The set with one more entry, which must not be in it.
    pub(super) fn with(&mut self, chain: Chain, entry: usize) -> Chain {
        let mut higher = Vec::new();
        let mut rest = chain;
        while let Some(link) = self.link(rest).filter(|link| link.entry > entry) {
            higher.push(link.entry);
            rest = link.rest;
        }
        let with = self.add(entry, rest);
        higher.into_iter().rev().fold(with, |rest, entry| self.add(entry, rest))
    }

    /// Whether `less` is a subset of `more`. Adds the number of links looked at to `work`.
    pub(super) fn within(&self, mut less: Chain, mut more: Chain, work: &mut usize) -> bool {
        while less != more {
            *work += 1;
            let Some(wanted) = self.link(less) else { return true };
            let Some(there) = self.link(more) else { return false };
            match wanted.entry.cmp(&there.entry) {
                Ordering::Greater => return false,
                Ordering::Equal => (less, more) = (wanted.rest, there.rest),
                Ordering::Less => more = there.rest,
            }
        }
        true
    }

    fn link(&self, chain: Chain) -> Option<&Link> {
        chain.0.map(|place| &self.0[place])
    }

    fn add(&mut self, entry: usize, rest: Chain) -> Chain {
        self.0.push(Link { entry, rest });
        Chain(Some(self.0.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(chains: &mut Chains, entries: &[usize]) -> Chain {
        entries.iter().fold(Chain::default(), |chain, entry| chains.with(chain, *entry))
    }

    #[test]
    fn sets_compare_by_content_whatever_the_order_of_insertion() {
        let mut chains = Chains::default();
        let [none, some, same, other] = [&[][..], &[3, 1, 5], &[5, 3, 1], &[1, 4]].map(|of| chain(&mut chains, of));
        let more = chains.with(same, 2);
        let within = |less, more| chains.within(less, more, &mut 0);
        assert!(within(none, some) && within(some, same) && within(same, some) && within(some, more));
        assert!(!within(some, none) && !within(more, some) && !within(other, some) && !within(some, other));
    }

    #[test]
    fn growing_and_comparing_a_long_set_takes_one_step() {
        let mut chains = Chains::default();
        let long: Vec<usize> = (0..10_000).collect();
        let long = chain(&mut chains, &long);
        let (before, mut work) = (chains.len(), 0);
        let longer = chains.with(long, 10_000);
        assert_eq!(chains.len(), before + 1);
        assert!(chains.within(long, longer, &mut work));
        assert_eq!(work, 1);
    }
}
