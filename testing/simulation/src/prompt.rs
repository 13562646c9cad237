//! A leader that nothing disturbs gives every Service its address within seconds.
//!
//! Without this, a queue that stalls would go unnoticed whenever another event happens to push it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::addresses::{addresses, is_foreign};
use crate::plan::Who;
use crate::user::asks_for_address;
use crate::world::{POOLS, World};

/// The time within which a Service gets its address.
const PROMPT: Duration = Duration::from_secs(6);
/// The time after a fault in which a leader may still pause: the longest pause between two attempts to write, and some more.
const RECOVERY: Duration = Duration::from_secs(35);

/// Looks every second, as long as the world exists.
pub(crate) async fn watch(world: Arc<World>) {
    // Since when a Service waits for its address, by its UID, and since when a leader leads.
    let mut waiting: BTreeMap<String, Instant> = BTreeMap::new();
    let mut leading: Option<(String, Instant)> = None;
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = Instant::now();

        let holder = world.lease_holder();
        if leading.as_ref().map(|(holder, _)| holder) != holder.as_ref() {
            leading = holder.map(|holder| (holder, now));
        }
        let since = leading.as_ref().filter(|(holder, _)| is_undisturbed(&world, holder));

        let pools = world.server.objects("ipaddresspools.metallb.io").len();
        let mut still_waiting = BTreeMap::new();
        for service in world.server.objects("services") {
            let is_served = service["spec"]["type"] == "LoadBalancer" && !is_foreign(&service);
            // An address that it asks for may be that of another.
            if !is_served
                || asks_for_address(&service)
                || !addresses(&service).is_empty()
                || pools < POOLS.len()
                || since.is_none()
            {
                continue;
            }
            let uid = service["metadata"]["uid"].as_str().unwrap_or_default();
            let from = waiting.get(uid).copied().unwrap_or(now);
            if now > from + PROMPT && since.is_some_and(|(_, since)| now > *since + PROMPT) {
                let name = &service["metadata"]["name"];
                world.violate("prompt", format!("{name} has waited for an address for {PROMPT:?}"));
            }
            still_waiting.insert(uid.to_owned(), from);
        }
        waiting = still_waiting;
    }
}

/// Returns true if no fault has met this leader for a while, and it still runs.
fn is_undisturbed(world: &World, holder: &str) -> bool {
    let who =
        (0..world.size.controllers).map(Who::Controller).find(|who| who.to_string() == holder);
    let Some(who) = who else { return false };
    let state = world.lock();
    let disturbed = state.disturbed.get(&who);
    disturbed.is_none_or(|until| Instant::now() > *until + RECOVERY)
}
