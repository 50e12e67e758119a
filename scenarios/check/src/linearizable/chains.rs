//! Sets of entries that share memory. A search may use thousands of operations that never return, but the sets at
//! different points rarely differ by more than a few entries.

use std::cmp::Ordering;

/// A set of entries: an index into [`Chains`], or `None` for the empty set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain(Option<usize>);

/// The links of all chains. Each chain is sorted in descending order.
#[derive(Default)]
pub(super) struct Chains(Vec<Link>);

struct Link {
    entry: usize,
    rest: Chain,
}

impl Chains {
    /// Returns the number of links.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the set with one more entry, which must not be in it yet.
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

    /// Returns whether `subset` is a subset of `superset`. Adds the number of links visited to `work`.
    pub(super) fn is_subset(&self, mut subset: Chain, mut superset: Chain, work: &mut usize) -> bool {
        while subset != superset {
            *work += 1;
            let Some(wanted) = self.link(subset) else { return true };
            let Some(found) = self.link(superset) else { return false };
            match wanted.entry.cmp(&found.entry) {
                Ordering::Greater => return false,
                Ordering::Equal => (subset, superset) = (wanted.rest, found.rest),
                Ordering::Less => superset = found.rest,
            }
        }
        true
    }

    fn link(&self, chain: Chain) -> Option<&Link> {
        chain.0.map(|index| &self.0[index])
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
    fn sets_are_compared_by_content_regardless_of_insertion_order() {
        let mut chains = Chains::default();
        let [none, some, same, other] =
            [&[][..], &[3, 1, 5], &[5, 3, 1], &[1, 4]].map(|entries| chain(&mut chains, entries));
        let more = chains.with(same, 2);
        let is_subset = |subset, superset| chains.is_subset(subset, superset, &mut 0);
        assert!(is_subset(none, some) && is_subset(some, same) && is_subset(same, some) && is_subset(some, more));
        assert!(!is_subset(some, none) && !is_subset(more, some) && !is_subset(other, some) && !is_subset(some, other));
    }

    #[test]
    fn adding_the_highest_entry_to_a_long_set_takes_one_link() {
        let mut chains = Chains::default();
        let long: Vec<usize> = (0..10_000).collect();
        let long = chain(&mut chains, &long);
        let (before, mut work) = (chains.len(), 0);
        let longer = chains.with(long, 10_000);
        assert_eq!(chains.len(), before + 1);
        assert!(chains.is_subset(long, longer, &mut work));
        assert_eq!(work, 1);
    }
}
