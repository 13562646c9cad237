//! What the process said last.

use ferrolb_api::{
    Bfd, BfdList, Event, EventPage, Peer, PeerList, Pool, PoolList, Route, RoutePage, Service,
    ServiceExplanation, ServiceList, Status,
};

use super::app::{Open, Tab, Wish};
use crate::client::{Client, ClientError, escaped};

/// The answers that the view shows. Those of a tab that is not shown may be old.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) status: Option<Status>,
    pub(super) peers: Vec<Peer>,
    pub(super) services: Vec<Service>,
    /// The routes of [`Answers::routes_of`].
    pub(super) routes: Vec<Route>,
    /// The node and the name of the peer whose routes these are.
    pub(super) routes_of: Option<(String, String)>,
    pub(super) pools: Vec<Pool>,
    pub(super) bfd: Vec<Bfd>,
    /// The newest event is the last.
    pub(super) events: Vec<Event>,
    /// True if a list has more elements than are shown.
    pub(super) is_cut: bool,
    pub(super) opened: Option<Opened>,
}

/// The answer about what the user has opened.
#[derive(Debug)]
pub(super) enum Opened {
    Service(Box<ServiceExplanation>),
    Peer(Box<Peer>),
}

impl Answers {
    /// Asks the process for what the view needs: the status, the list of the tab, and what is open. After an error, the rest
    /// stays as it is.
    pub(super) async fn ask(&mut self, client: &Client, wish: &Wish) -> Result<(), ClientError> {
        self.status = Some(client.get("/v1/status").await?);
        self.ask_list(client, wish).await?;

        self.opened = match &wish.open {
            None => None,
            Some(Open::Service { namespace, name }) => {
                let path = format!("/v1/services/{}/{}", escaped(namespace), escaped(name));
                Some(Opened::Service(Box::new(client.get(&path).await?)))
            }
            Some(Open::Peer { node, name }) => {
                let path = format!("/v1/peers/{}?node={}", escaped(name), escaped(node));
                Some(Opened::Peer(Box::new(client.get(&path).await?)))
            }
        };
        Ok(())
    }

    async fn ask_list(&mut self, client: &Client, wish: &Wish) -> Result<(), ClientError> {
        let mut is_cut = false;
        match wish.tab {
            Tab::Peers => self.peers = client.get::<PeerList>("/v1/peers").await?.peers,
            Tab::Services => {
                (self.services, is_cut) = services(client, wish.only_problems).await?;
            }
            Tab::Routes => {
                self.peers = client.get::<PeerList>("/v1/peers").await?.peers;
                let first = self.peers.first().map(|peer| (peer.node.clone(), peer.name.clone()));
                self.routes_of = wish.routes_of.clone().or(first);
                (self.routes, is_cut) = match &self.routes_of {
                    Some((node, peer)) => routes(client, node, peer).await?,
                    None => (Vec::new(), false),
                };
            }
            Tab::Pools => self.pools = client.get::<PoolList>("/v1/pools").await?.pools,
            Tab::Bfd => self.bfd = client.get::<BfdList>("/v1/bfd").await?.sessions,
            Tab::Events => self.events = client.get::<EventPage>("/v1/events").await?.events,
        }
        self.is_cut = is_cut;
        Ok(())
    }
}

/// Returns the first Services, and true if there are more.
async fn services(
    client: &Client,
    only_problems: bool,
) -> Result<(Vec<Service>, bool), ClientError> {
    let mut services = Vec::new();
    let mut from = String::new();
    loop {
        let path = format!("/v1/services?limit={PAGE}&problems={only_problems}{from}");
        let page: ServiceList = client.get(&path).await?;
        services.extend(page.services);
        match page.next {
            Some(next) if services.len() < MOST => from = format!("&from={}", escaped(&next)),
            next => return Ok((services, next.is_some())),
        }
    }
}

/// Returns the first routes of a peer, and true if there are more.
async fn routes(
    client: &Client,
    node: &str,
    peer: &str,
) -> Result<(Vec<Route>, bool), ClientError> {
    let base = format!("/v1/peers/{}/routes?limit={PAGE}&node={}", escaped(peer), escaped(node));
    let mut routes = Vec::new();
    let mut from = String::new();
    loop {
        let page: RoutePage = client.get(&format!("{base}{from}")).await?;
        routes.extend(page.routes);
        match page.next {
            Some(next) if routes.len() < MOST => from = format!("&from={}", escaped(&next)),
            next => return Ok((routes, next.is_some())),
        }
    }
}

/// The elements of one page.
const PAGE: usize = 1000;
/// The number of elements after which no page is asked for: more than anyone reads on a terminal.
const MOST: usize = 2000;
