//! How many prefixes a peer may send (RFC 4486, section 4).

use std::time::Instant;

use tracing::debug;

use crate::AfiSafi;
use crate::Direction;
use crate::fsm::{Event, Exceeded, PrefixLimit};
use crate::peer::{Output, Peer};
use crate::wire::Notification;

impl Peer {
    /// Compares what is held of each family with its limit, after an UPDATE.
    pub(super) fn enforce_limits(&mut self, now: Instant, direction: Direction) {
        for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
            if let Some(limit) = self.config.maximum_prefixes.of(family).copied() {
                let held = u32::try_from(self.adj_rib_in.len_of(family)).unwrap_or(u32::MAX);
                if !self.enforce_limit(now, direction, (family, limit), held) {
                    return;
                }
            }
        }
    }

    /// Whether the session goes on.
    fn enforce_limit(
        &mut self,
        now: Instant,
        direction: Direction,
        (family, PrefixLimit { limit, exceeded, .. }): (AfiSafi, PrefixLimit),
        held: u32,
    ) -> bool {
        let warning = self.config.maximum_prefixes.of(family).map_or(limit, PrefixLimit::warning);
        if held < warning {
            self.warned.remove(&family);
            return true;
        }
        // Said once, until the number has fallen again.
        if self.warned.insert(family) {
            self.outputs.push_back(Output::PrefixWarning { family, held, limit });
        }
        let pause = match exceeded {
            Exceeded::Restart(time) => Some(time),
            Exceeded::Stop => None,
            Exceeded::Warn => return true,
        };
        if held <= limit {
            return true;
        }
        debug!(%family, held, limit, "too many prefixes");
        self.pause_for(now, pause);
        let cease = Notification::maximum_prefixes(family, limit);
        // Another connection that the peer has made meanwhile would bring a session into the pause.
        for direction in [direction, direction.opposite()] {
            self.handle(now, direction, Event::AutomaticStop(cease.clone()));
        }
        false
    }
}
