//! The scenarios: what a speaker under test does, and how that is measured.

mod bench;
mod change;
mod receive;
mod relay;
mod send;
mod sessions;

use bytes::Bytes;

use crate::routes::{Order, Table};
use crate::sample::Sample;
use crate::site::Site;
use crate::subject::Contestant;
use crate::text::count_words;
use crate::usage::Machine;

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// A speaker that has the table announces it to a new peer that only reads.
    SendToSink(Table),
    /// The same to a BIRD.
    SendToBird(Table),
    /// A speaker reads the table, and then its withdrawal.
    Receive(Table, Order),
    /// A speaker passes the table on to some receivers, and then its withdrawal.
    Relay(Table, u16),
    /// A number of peers send so many routes each, all different, and a speaker passes them on to one receiver.
    RelayFromMany(u16, u32),
    /// One route of the table changes again and again, and some receivers learn it.
    Change(Table, u16),
    /// The same with a route of the speaker's own.
    ChangeOwn(Table, u16),
    /// Many peers dial a speaker at the same time.
    Connect(u16),
    /// Many peers send the same routes at the same time, with a hold time of nine seconds.
    Same(u16, u32),
}

impl Scenario {
    /// Its title, under which similar ones stand together.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::SendToSink(_) => "sending to a sink",
            Self::SendToBird(_) => "sending to BIRD",
            Self::Receive(..) => "receiving",
            Self::Relay(..) => "relaying",
            Self::RelayFromMany(..) => "relaying from many peers",
            Self::Change(..) | Self::ChangeOwn(..) => "one changing route",
            Self::Connect(_) => "connecting",
            Self::Same(..) => "the same routes from all peers",
        }
    }

    /// The rest of its description.
    pub(crate) fn case(self) -> String {
        match self {
            Self::SendToSink(table) | Self::SendToBird(table) => table.label(),
            Self::Receive(table, order) => {
                let order = match order {
                    Order::Sorted => "sorted",
                    Order::Shuffled => "shuffled",
                    Order::Bird => "BIRD's order",
                };
                format!("{}, {order}", table.label())
            }
            Self::Relay(table, receivers) => format!("{}, to {receivers}", table.label()),
            Self::RelayFromMany(peers, routes) => {
                format!("{} from each of {peers}", count_words(routes.into()))
            }
            Self::Change(table, receivers) => {
                format!("among {}, to {receivers}", table.label())
            }
            Self::ChangeOwn(table, receivers) => {
                format!("its own, among {}, to {receivers}", table.label())
            }
            Self::Connect(peers) => format!("{} peers", count_words(peers.into())),
            Self::Same(peers, routes) => {
                let [routes, peers] = [routes.into(), peers.into()].map(count_words);
                format!("{routes} routes from {peers} peers")
            }
        }
    }

    /// Returns true if a contestant can take part.
    pub(crate) fn admits(self, contestant: Contestant) -> bool {
        match self {
            Self::SendToSink(_) | Self::SendToBird(_) => true,
            Self::ChangeOwn(..) => contestant == Contestant::Ferrolb,
            Self::Same(..) => matches!(contestant, Contestant::Ferrolb | Contestant::Bird),
            _ => contestant != Contestant::Octets,
        }
    }

    /// The table whose octets must be recorded from a BIRD beforehand.
    pub(crate) fn recorded(self) -> Option<Table> {
        match self {
            Self::Receive(table, Order::Bird) => Some(table),
            _ => None,
        }
    }

    /// Measures a contestant once.
    pub(crate) fn measure(
        self,
        site: &Site,
        contestant: Contestant,
        round: usize,
        recorded: Option<&Bytes>,
    ) -> Sample {
        let machine = Machine::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match self {
            Self::SendToSink(table) => send::to_sink(site, contestant, table),
            Self::SendToBird(table) => send::to_bird(site, contestant, table),
            Self::Receive(table, order) => {
                receive::measure(site, contestant, table, order, recorded)
            }
            Self::Relay(table, receivers) => relay::measure(site, contestant, table, receivers),
            Self::RelayFromMany(peers, routes) => relay::from_many(site, contestant, peers, routes),
            Self::Change(table, receivers) => change::measure(site, contestant, table, receivers),
            Self::ChangeOwn(table, receivers) => change::own(site, table, receivers),
            Self::Connect(peers) => sessions::connect(site, contestant, peers),
            Self::Same(peers, prefixes) => sessions::same_routes(site, contestant, peers, prefixes),
        }));
        let outcome = outcome.unwrap_or_else(|panic| Err(reason(&*panic)));

        let measured = outcome.as_ref().map(|outcome| outcome.total_cpu).unwrap_or_default();
        let (figures, failed) = match outcome {
            Ok(outcome) => (outcome.figures, None),
            Err(error) => (std::collections::BTreeMap::new(), Some(error)),
        };
        Sample {
            scenario: self.title().to_owned(),
            case: self.case(),
            contestant: contestant.name().to_owned(),
            round,
            others: machine.used_by_others(measured),
            failed,
            figures,
        }
    }
}

/// The UPDATEs of a table as BIRD sends them.
pub(crate) fn record(site: &Site, table: Table) -> Result<Bytes, String> {
    receive::record(site, table)
}

/// The message of a panic, up to the end of its first line.
fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    text.lines().next().unwrap_or_default().to_owned()
}
