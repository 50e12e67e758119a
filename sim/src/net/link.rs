//! One-way links between nodes, and the effects of faults on their messages.

use std::time::Duration;

use super::{ConnId, NetworkConfig, RETRANSMIT_FIRST, RETRANSMIT_LONGEST, Transport};
use crate::message::Message;
use crate::node::NodeId;
use crate::schedule::InjectionId;
use crate::stream::Stream;
use crate::units::Dist;
use crate::world::World;

/// Adds effects to links and removes them.
pub trait LinkEffects {
    /// Adds an effect to a link, one way.
    fn add_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId, effect: LinkEffect);
    /// Removes all effects of the injection from a link, one way.
    fn remove_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId);
}

/// The effect of a fault on a link, one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkEffect {
    /// No message gets through. Streams retransmit after the link heals; datagrams are lost.
    Cut,
    /// No message gets through; all of them arrive when the hold ends.
    Hold,
    /// Every message takes longer.
    Delay(Dist),
    /// Messages are lost at this rate in ppm. Streams retransmit.
    Lose(u32),
    /// Datagrams arrive twice at this rate in ppm.
    Duplicate(u32),
}

impl<M: Message, N: Message> LinkEffects for World<M, N> {
    fn add_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId, effect: LinkEffect) {
        self.link(from, to).effects.push((by, effect));
    }

    fn remove_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId) {
        let link = self.link(from, to);
        let was_cut = link.cut();
        link.effects.retain(|(other, _)| *other != by);
        if !link.closed() {
            self.unstall(|a, b| (a, b) == (from, to), !was_cut);
        }
    }
}

/// A link's active fault effects and its random stream.
#[derive(Default)]
pub(crate) struct Link {
    pub effects: Vec<(InjectionId, LinkEffect)>,
    /// Created at first use.
    pub stream: Option<Box<Stream>>,
    /// The connection for messages from one server to another, created at first use.
    pub peer: Option<ConnId>,
}

impl Link {
    pub fn cut(&self) -> bool {
        self.effects.iter().any(|(_, effect)| *effect == LinkEffect::Cut)
    }

    pub fn closed(&self) -> bool {
        self.effects.iter().any(|(_, effect)| matches!(effect, LinkEffect::Cut | LinkEffect::Hold))
    }
}

/// The latency, loss and duplication of one message on a link.
pub(crate) struct Fate {
    pub latency: Duration,
    /// How many times the message was lost before it got through (streams), or nonzero if it is lost (datagrams).
    pub losses: u32,
    pub doubled: bool,
}

/// The most times one message is lost. The last retransmissions are minutes apart by then.
const MOST_LOSSES: u32 = 10;

/// Draws a message's fate, and calls `touched` with each injection that affected it.
pub(crate) fn fate(
    config: &NetworkConfig,
    effects: &[(InjectionId, LinkEffect)],
    stream: &mut Stream,
    mut touched: impl FnMut(InjectionId),
) -> Fate {
    let mut fate = Fate { latency: config.latency.draw(stream), losses: 0, doubled: false };
    let mut keep_per_million = 1_000_000 - u64::from(config.loss_per_million);
    for (injection, effect) in effects {
        match effect {
            LinkEffect::Delay(add) => {
                fate.latency += add.draw(stream);
                touched(*injection);
            }
            LinkEffect::Lose(rate) => keep_per_million = keep_per_million * (1_000_000 - u64::from(*rate)) / 1_000_000,
            LinkEffect::Duplicate(rate) if config.transport == Transport::Datagram && stream.chance(*rate) => {
                fate.doubled = true;
                touched(*injection);
            }
            LinkEffect::Duplicate(_) | LinkEffect::Cut | LinkEffect::Hold => {}
        }
    }
    if keep_per_million < 1_000_000 {
        let lose = (1_000_000 - keep_per_million) as u32;
        while fate.losses < MOST_LOSSES && stream.chance(lose) {
            fate.losses += 1;
        }
        if fate.losses > 0 {
            let losing = effects.iter().filter(|(_, effect)| matches!(effect, LinkEffect::Lose(_)));
            losing.for_each(|(injection, _)| touched(*injection));
        }
    }
    fate
}

/// Returns the delay of a message that was lost this many times before it arrived.
pub(crate) fn retransmission_delay(losses: u32) -> Duration {
    (0..losses).fold(Duration::ZERO, |sum, n| sum + (RETRANSMIT_FIRST * 2u32.pow(n)).min(RETRANSMIT_LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_delays_a_message_by_one_more_retransmission() {
        assert_eq!(retransmission_delay(0), Duration::ZERO);
        assert_eq!(retransmission_delay(3), Duration::from_millis(200 + 400 + 800));
    }
}
