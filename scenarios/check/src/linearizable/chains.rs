//! Sets that grow by one operation at a time and share what they have in common: of the thousands of operations that
//! have taken effect and never return, hardly any two places in a search differ in more than a few.

use std::cmp::Ordering;

/// A set of entries: a place in [`Chains`], or nothing for the empty set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain(Option<usize>);

/// All links of all chains. In each chain the entries fall from link to link.
#[derive(Default)]
pub(super) struct Chains(Vec<Link>);

struct Link {
    entry: usize,
    rest: Chain,
}

impl Chains {
    /// How many links there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The set with one entry more that is not in it.
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

    /// Whether all of `less` is in `more`. `work` grows by the links that are looked at.
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
    fn sets_are_compared_by_what_is_in_them_in_whatever_order_it_came() {
        let mut chains = Chains::default();
        let [none, some, same, other] = [&[][..], &[3, 1, 5], &[5, 3, 1], &[1, 4]].map(|of| chain(&mut chains, of));
        let more = chains.with(same, 2);
        let within = |less, more| chains.within(less, more, &mut 0);
        assert!(within(none, some) && within(some, same) && within(same, some) && within(some, more));
        assert!(!within(some, none) && !within(more, some) && !within(other, some) && !within(some, other));
    }

    #[test]
    fn a_long_set_grows_and_is_compared_at_its_end() {
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
