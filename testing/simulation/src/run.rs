//! One world, from its beginning to the state after it has healed.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::dataplane::Proxy;
use crate::healed::Problems;
use crate::plan::{Action, Plan, Size, Step, Who};
use crate::process::Processes;
use crate::trace::Trace;
use crate::world::{POOLS, Violation, World};
use crate::{prompt, router, system, user};

/// The time from the beginning to the first step.
const START: Duration = Duration::from_secs(3);
/// The time that a world has to settle after all faults are over. The longest wait of the programs is part of it: a router keeps
/// the routes of a node that restarts for 120 s, and a failed write is repeated after at most 20 s.
const SETTLE: Duration = Duration::from_secs(260);
/// The time between two looks at a world that settles.
const LOOK: Duration = Duration::from_secs(1);
/// The time for which everything must be right before a world ends early.
const CALM: Duration = Duration::from_secs(6);
/// Of this many seeds, one runs for the whole time.
const WHOLE: u64 = 128;

thread_local! {
    /// The message of the last panic on this thread.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The result of a world.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) violation: Option<Violation>,
    pub(crate) digest: u64,
    /// The trace, if it was asked for.
    pub(crate) lines: Vec<String>,
}

/// Keeps panics for the outcome of their worlds, instead of printing them.
pub(crate) fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with_borrow_mut(|panic| *panic = Some(info.to_string()));
    }));
}

/// Runs a world on a thread of its own.
pub(crate) fn run(seed: u64, plan: &Plan, with_lines: bool) -> Outcome {
    let plan = plan.clone();
    let run = std::thread::spawn(move || run_here(seed, &plan, with_lines));
    run.join().unwrap_or_else(|_| Outcome {
        violation: Some(Violation {
            invariant: "no panic",
            text: "the simulation panicked".to_owned(),
        }),
        digest: 0,
        lines: Vec::new(),
    })
}

fn run_here(seed: u64, plan: &Plan, with_lines: bool) -> Outcome {
    system::seed(seed);
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let violation = Violation { invariant: "set-up", text: error.to_string() };
            return Outcome { violation: Some(violation), digest: 0, lines: Vec::new() };
        }
    };

    let trace = if with_lines { Trace::with_lines() } else { Trace::default() };
    let world = runtime.block_on(async {
        system::begin_clock();
        let world = World::new(seed, plan.size, trace);
        live(&world, seed, plan).await;
        world
    });
    drop(runtime);

    let mut state = world.lock();
    if let Some(text) = PANIC.take() {
        state.violation = Some(Violation { invariant: "no panic", text });
    }
    Outcome {
        violation: state.violation.take(),
        digest: state.trace.digest(),
        lines: state.trace.take_lines(),
    }
}

async fn live(world: &Arc<World>, seed: u64, plan: &Plan) {
    user::set_up(world);
    let proxies: Vec<_> = (0..plan.size.speakers).map(|node| Proxy::new(world, node)).collect();
    for proxy in &proxies {
        tokio::spawn(Arc::clone(proxy).run());
    }
    tokio::spawn(prompt::watch(Arc::clone(world)));
    let processes = Processes::new(world, proxies.clone());
    let cluster = Cluster { world: Arc::clone(world), proxies, processes };

    for router in 0..plan.size.routers {
        router::start(world, &cluster.proxies, router).await;
    }
    plan.size.processes().for_each(|who| cluster.processes.start(who));
    sleep(START).await;

    for Step { pause, action } in &plan.steps {
        sleep(*pause).await;
        world.note(format_args!("{action:?}"));
        cluster.perform(*action).await;
        if world.lock().violation.is_some() {
            return;
        }
    }

    cluster.heal().await;
    cluster.settle(seed.is_multiple_of(WHOLE)).await;
}

/// All parts of a world, for the steps of its plan.
#[derive(Clone)]
struct Cluster {
    world: Arc<World>,
    proxies: Vec<Arc<Proxy>>,
    processes: Arc<Processes>,
}

impl Cluster {
    /// Waits until everything is right and stays so, or until the time for it is over. If `whole`, that time passes in any case.
    async fn settle(&self, whole: bool) {
        let end = Instant::now() + SETTLE;
        let mut right_since = None;
        loop {
            sleep(if whole { SETTLE } else { LOOK }).await;
            let now = Instant::now();
            let mut problems = Problems::find(&self.world, &self.proxies);
            if !problems.is_empty() {
                right_since = None;
            } else if now >= end || now >= *right_since.get_or_insert(now) + CALM {
                problems = Problems::find_in_explanations(&self.world, &self.processes).await;
                if problems.is_empty() {
                    return;
                }
                right_since = None;
            }

            if self.world.lock().violation.is_some() {
                return;
            }
            if now >= end {
                for Violation { invariant, text } in problems {
                    self.world.violate(invariant, text);
                }
                return;
            }
        }
    }

    async fn perform(&self, action: Action) {
        let world = &self.world;
        match action {
            Action::Create { service, local, shared } => {
                user::create(world, service, local, shared).await;
            }
            Action::Delete { service } => user::delete(world, service).await,
            Action::SetType { service, load_balancer } => {
                let type_ = if load_balancer { "LoadBalancer" } else { "ClusterIP" };
                let policy = if load_balancer { json!("Cluster") } else { Value::Null };
                let spec = json!({"type": type_, "externalTrafficPolicy": policy});
                user::patch(world, service, json!({"spec": spec}), true).await;
            }
            Action::AskForPool { service, pool } => {
                let pool = pool.map(|pool| POOLS[pool].0);
                let annotations = json!({"metallb.io/address-pool": pool});
                let patch = json!({"metadata": {"annotations": annotations}});
                user::patch(world, service, patch, true).await;
            }
            Action::AskForAddress { service, of } => {
                user::ask_for_address(world, service, of).await;
            }
            Action::Touch { service } => {
                let number = world.server.version().to_string();
                let patch = json!({"metadata": {"labels": {"touched": number}}});
                user::patch(world, service, patch, false).await;
            }
            Action::Scale { service, nodes } => user::scale(world, service, nodes).await,
            Action::SetPool { pool, exists } => user::set_pool(world, pool, exists).await,
            Action::SetReady { node, ready } => user::set_ready(world, node, ready).await,
            Action::Exclude { node, excluded } => user::exclude(world, node, excluded).await,
            Action::Drain { node, drained } => user::drain(world, node, drained).await,
            fault => self.fail(fault),
        }
    }

    fn fail(&self, fault: Action) {
        let (world, now) = (&self.world, Instant::now());
        for (who, time) in disturbed(world.size, fault) {
            world.disturb(who, time);
        }
        match fault {
            Action::FailRequests { who, count, fault } => {
                world.change(who, |conditions| conditions.failures = (count, fault));
            }
            Action::Delay { who, most, time } => {
                world.change(who, |conditions| conditions.delay = (most, now + time));
            }
            Action::Partition { who, time } => {
                world.change(who, |conditions| conditions.partition = now + time);
            }
            Action::CutWatches { how } => world.server.cut_watches(match how {
                0 => test_apiserver::Cut::Clean,
                1 => test_apiserver::Cut::MidEvent,
                _ => test_apiserver::Cut::Gone,
            }),
            Action::Compact => world.server.compact(),
            Action::Kill { who, time } => {
                self.processes.kill(who);
                let processes = Arc::clone(&self.processes);
                tokio::spawn(async move {
                    sleep(time).await;
                    processes.start(who);
                });
            }
            Action::Restart { who } => {
                let processes = Arc::clone(&self.processes);
                tokio::spawn(async move { processes.restart(who).await });
            }
            Action::Hang { who, time } => {
                world.change(who, |conditions| conditions.hang = now + time);
                self.refresh_links_after(time);
            }
            Action::JumpClock { who, seconds } => {
                world.change(who, |conditions| conditions.ahead += i64::from(seconds));
            }
            Action::Isolate { node, router, time } => {
                world.lock().isolated.insert((node, router), now + time);
                world.refresh_links();
                self.refresh_links_after(time);
            }
            Action::CutLink { node, router } => {
                world.cut_links(|placed| placed.node == node && placed.router == router);
            }
            Action::RestartRouter { router, time } => {
                router::stop(world, router);
                let (world, proxies) = (Arc::clone(world), self.proxies.clone());
                tokio::spawn(async move {
                    sleep(time).await;
                    start_router(&world, &proxies, router).await;
                });
            }
            Action::StopProxy { node, time } => self.proxies[node].stop(time),
            Action::SlowProxy { node, lag, time } => self.proxies[node].slow_down(lag, time),
            _ => {}
        }
    }

    /// Lets the connections pass again that a fault of this length stalls.
    fn refresh_links_after(&self, time: Duration) {
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            sleep(time + Duration::from_millis(1)).await;
            world.refresh_links();
        });
    }

    /// Ends all faults. What users want stays, but for the pools, which all exist again, and for addresses that others may have.
    async fn heal(&self) {
        self.world.note(format_args!("the world heals"));
        self.world.heal();
        self.proxies.iter().for_each(|proxy| proxy.heal());
        for pool in 0..POOLS.len() {
            user::set_pool(&self.world, pool, true).await;
        }
        user::withdraw_address_requests(&self.world).await;
        for router in 0..self.world.size.routers {
            start_router(&self.world, &self.proxies, router).await;
        }
        self.world.size.processes().for_each(|who| self.processes.start(who));
    }
}

/// Starts a router, unless it runs.
async fn start_router(world: &Arc<World>, proxies: &[Arc<Proxy>], router: usize) {
    if world.lock().routers[router].is_none() {
        router::start(world, proxies, router).await;
    }
}

/// Returns the processes that a fault meets, each with its length.
fn disturbed(size: Size, fault: Action) -> Vec<(Who, Duration)> {
    match fault {
        Action::CutWatches { .. } | Action::Compact => {
            size.processes().map(|who| (who, Duration::ZERO)).collect()
        }
        // They last until enough requests have failed, which takes a while if there are few.
        Action::FailRequests { who, .. } => vec![(who, Duration::from_secs(600))],
        Action::Delay { who, time, .. }
        | Action::Partition { who, time }
        | Action::Kill { who, time }
        | Action::Hang { who, time } => vec![(who, time)],
        Action::Restart { who } => vec![(who, Duration::ZERO)],
        _ => Vec::new(),
    }
}
