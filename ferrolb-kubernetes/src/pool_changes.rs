//! Removed pools: the delay before a removal takes effect, and the notice about it.
//!
//! ```text
//! one of several pools is removed or added ──► a short delay ──► its Services move
//! the last pool is removed ──────────────────► the grace period ──► its addresses are released
//! ```
//!
//! Owns the two delays. The engine decides which addresses stay.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::status_object::time;
use ferrolb_node::grace::{GracePeriod, GracePeriodChange};
use ferrolb_node::time_of_day;
use lb_adapter::engine::Engine;
use lb_adapter::model::Config;

/// The changes of pools that have not taken effect yet.
#[derive(Debug)]
pub(super) struct PoolChanges {
    grace: GracePeriod,
    /// The end of the grace period, for display.
    until: Option<Timestamp>,
    /// A configuration without a pool for addresses that Services have, and the time at which it takes effect.
    awaited: Option<(Arc<Config>, Instant)>,
}

/// A change that is due.
#[derive(Debug, PartialEq)]
pub(super) enum DuePoolChange {
    /// This configuration takes effect.
    Config(Arc<Config>),
    /// The grace period is over.
    GracePeriodOver,
}

/// The delay before an address that is in no pool is given up while there are other pools. Since pools are deleted and created
/// one after the other, a Service must not move to a pool that is deleted next, nor because its own pool is created last.
const SETTLE_TIME: Duration = Duration::from_secs(2);

impl PoolChanges {
    /// No change is waiting yet. With a grace period of zero, none ever waits.
    pub(super) fn new(grace_period: Duration) -> Self {
        Self { grace: GracePeriod::new(grace_period), until: None, awaited: None }
    }

    /// Returns the configuration if it takes effect at once; otherwise keeps it until it is due.
    pub(super) fn take(&mut self, config: Arc<Config>, engine: &Engine) -> Option<Arc<Config>> {
        let before = self.awaited.take();
        if config.pools.is_empty() || self.grace.length().is_zero() || !strands(&config, engine) {
            return Some(config);
        }

        // A later configuration keeps the time of the one that it replaces, so that repeated changes do not postpone it.
        let at = before.map_or_else(|| Instant::now() + SETTLE_TIME, |(_, at)| at);
        self.awaited = Some((config, at));
        None
    }

    /// Notes a configuration that is about to take effect.
    pub(super) fn follow(
        &mut self,
        before: Option<&Config>,
        now: &Config,
    ) -> Option<GracePeriodChange> {
        let change = self.grace.update(before, now);
        self.until = match change {
            Some(GracePeriodChange::Started) => {
                let length = SignedDuration::try_from(self.grace.length()).unwrap_or_default();
                time_of_day().checked_add(length).ok()
            }
            Some(GracePeriodChange::Cancelled | GracePeriodChange::Skipped) => None,
            None => self.until,
        };
        change
    }

    /// Returns the notice for a Service with an address of a removed pool.
    pub(super) fn notice(&self, pool: &str) -> Option<String> {
        let until = time(self.until?);
        Some(format!(
            "pool {pool:?} is gone and no other pool exists: the address is released at {until} unless a pool contains it by then"
        ))
    }

    /// Returns the time at which the addresses of the last pool are released, if they will be.
    pub(super) fn until(&self) -> Option<String> {
        self.until.map(time)
    }

    /// Waits until a change is due. Cancel safe.
    pub(super) async fn due(&mut self) -> DuePoolChange {
        let awaited = self.awaited.as_ref().map(|(_, at)| *at);
        tokio::select! {
            biased;
            () = self.grace.expired() => {
                self.until = None;
                return DuePoolChange::GracePeriodOver;
            }
            () = sleep_until(awaited) => {}
        }
        match self.awaited.take() {
            Some((config, _)) => DuePoolChange::Config(config),
            None => std::future::pending().await,
        }
    }
}

/// Returns true if the configuration strands a Service: no pool contains its addresses, and its own pool was deleted or has not
/// been created yet.
fn strands(config: &Config, engine: &Engine) -> bool {
    let mut holdings = engine.service_keys().filter_map(|key| engine.holding(key));
    holdings.any(|held| {
        config.pool(&held.pool).is_none()
            && !held.addresses.iter().any(|address| is_in_a_pool(config, *address))
    })
}

fn is_in_a_pool(config: &Config, address: IpAddr) -> bool {
    config.pools.iter().any(|pool| pool.contains(address))
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_adapter::engine::Change;
    use lb_adapter::model::{Pool, Service, ServiceKey, ServiceType};
    use lb_adapter::planner::PlannerOptions;

    fn config(pools: &[(&str, &str)]) -> Arc<Config> {
        let pool = |(name, range): &(&str, &str)| Pool::new(*name, vec![range.parse().unwrap()]);
        Arc::new(Config::new(Vec::new(), pools.iter().map(pool).collect()))
    }

    const ONE: (&str, &str) = ("one", "192.0.2.0/24");
    const TWO: (&str, &str) = ("two", "198.51.100.0/24");

    /// A Service has an address of the first pool.
    fn engine() -> Engine {
        let mut engine = Engine::new(PlannerOptions::default(), None);
        engine.apply(Change::Synced);
        engine.apply(Change::Config(config(&[ONE, TWO])));
        let mut service = Service::new(ServiceKey::new("default", "a"));
        service.type_ = ServiceType::LoadBalancer;
        engine.apply(Change::Service { service: Box::new(service), status: None });
        engine
    }

    #[tokio::test(start_paused = true)]
    async fn deleting_all_pools_one_after_the_other_begins_the_grace_period() {
        let (mut changes, engine) = (PoolChanges::new(Duration::from_secs(300)), engine());
        let begin = Instant::now();
        assert_eq!(changes.take(config(&[TWO]), &engine), None, "its Services wait");
        let none = config(&[]);
        assert_eq!(changes.take(Arc::clone(&none), &engine), Some(Arc::clone(&none)));
        let before = engine.config().map(Arc::as_ref);
        assert_eq!(changes.follow(before, &none), Some(GracePeriodChange::Started));
        assert!(changes.notice("one").unwrap().starts_with("pool \"one\" is gone"));
        assert_eq!(changes.due().await, DuePoolChange::GracePeriodOver);
        assert_eq!((begin.elapsed().as_secs(), changes.notice("one")), (300, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_does_not_come_back_is_gone_after_a_moment_despite_other_changes() {
        let (mut changes, engine) = (PoolChanges::new(Duration::from_secs(300)), engine());
        let begin = Instant::now();
        changes.take(config(&[TWO]), &engine);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let last = config(&[TWO, ("three", "203.0.113.0/24")]);
        assert_eq!(changes.take(Arc::clone(&last), &engine), None);
        assert_eq!(changes.due().await, DuePoolChange::Config(last));
        assert_eq!(begin.elapsed(), SETTLE_TIME);
        // A pool that comes back takes effect at once, as does a configuration that strands no Service.
        changes.take(config(&[TWO]), &engine);
        for at_once in [config(&[ONE, TWO]), config(&[ONE])] {
            assert_eq!(changes.take(Arc::clone(&at_once), &engine), Some(at_once));
        }
        let waits = tokio::time::timeout(Duration::from_secs(60), changes.due()).await;
        assert!(waits.is_err(), "nothing is due any more");
    }

    #[tokio::test(start_paused = true)]
    async fn pools_that_come_one_after_the_other_renumber_no_service() {
        let mut changes = PoolChanges::new(Duration::from_secs(300));
        for mut engine in [engine(), Engine::new(PlannerOptions::default(), None)] {
            engine.apply(Change::Config(config(&[])));
            let mut service = Service::new(ServiceKey::new("default", "a"));
            service.type_ = ServiceType::LoadBalancer;
            let status = Some(vec!["192.0.2.0".to_owned()]);
            engine.apply(Change::Service { service: Box::new(service), status });
            assert_eq!(changes.take(config(&[TWO]), &engine), None, "its pool comes next");
            let all = config(&[TWO, ONE]);
            assert_eq!(changes.take(Arc::clone(&all), &engine), Some(all));
        }
    }

    #[test]
    fn without_a_grace_period_nothing_waits() {
        let mut changes = PoolChanges::new(Duration::ZERO);
        assert!(changes.take(config(&[TWO]), &engine()).is_some());
    }
}
