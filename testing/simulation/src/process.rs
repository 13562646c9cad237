//! The processes: the real controllers and speakers, each as one task that can be killed or stopped.
//!
//! A process that hangs does not run, and its connections stall. The tasks that it has started are not stopped: they meet the
//! stalled connections.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ferrolb_api::Program;
use ferrolb_kubernetes::election::ElectionConfig;
use ferrolb_kubernetes::{
    ClusterOptions, ControllerOptions, DataplaneOptions, HttpAuth, NodeNetwork, OnExit,
    SpeakerOptions, Surroundings, run_controller, run_speaker,
};
use ferrolb_node::api::Identity;
use ferrolb_node::drain::DrainTimes;
use ferrolb_node::http::{Listen, StatusRequest};
use ferrolb_node::log::Log;
use ferrolb_node::signals::Signals;
use lb_adapter::model::DataplaneGate;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::api::{self, Way};
use crate::dataplane::{HEALTH_PORT, Proxy, ToProxy};
use crate::plan::Who;
use crate::router::NodeConnector;
use crate::system;
use crate::world::{NAMESPACE, World, node_name};

/// The annotation of a Node that drains it.
pub(crate) const DRAIN: &str = "example.com/drain";

/// The processes of a world.
#[derive(Debug)]
pub(crate) struct Processes {
    world: Arc<World>,
    proxies: Vec<Arc<Proxy>>,
    running: Mutex<BTreeMap<Who, Running>>,
}

/// A process that runs, or has ended by itself.
#[derive(Debug)]
struct Running {
    task: JoinHandle<()>,
    signals: mpsc::Sender<()>,
    requests: mpsc::Sender<StatusRequest>,
}

impl Processes {
    /// No process yet.
    pub(crate) fn new(world: &Arc<World>, proxies: Vec<Arc<Proxy>>) -> Arc<Self> {
        Arc::new(Self { world: Arc::clone(world), proxies, running: Mutex::default() })
    }

    /// Starts a process, unless it runs.
    pub(crate) fn start(&self, who: Who) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.get(&who).is_some_and(|running| !running.task.is_finished()) {
            return;
        }

        self.world.change(who, |conditions| conditions.life += 1);
        let life = self.world.conditions(who).life;
        self.world.note(format_args!("{who} starts"));
        self.world.lock().started.insert(who, Instant::now());

        let (signals, received_signals) = mpsc::channel(2);
        let (requests, received_requests) = mpsc::channel(4);
        let surroundings = Surroundings {
            identity: identity(who),
            client: api::client(&self.world, who, life),
            requests: received_requests,
            signals: Signals::from_caller(received_signals),
        };
        let program: Pin<Box<dyn Future<Output = ()> + Send>> = match who {
            Who::Controller(_) => Box::pin(run_controller(controller_options(who), surroundings)),
            Who::Speaker(node) => {
                let way = Way { world: Arc::clone(&self.world), who, life };
                let network = NodeNetwork {
                    connector: Arc::new(NodeConnector { way, node }),
                    dataplane: Arc::new(ToProxy(Arc::clone(&self.proxies[node]))),
                };
                Box::pin(run_speaker(speaker_options(who, node), surroundings, network))
            }
        };
        let process = Process { world: Arc::clone(&self.world), who, program, pause: None };
        let task = tokio::spawn(process);
        running.insert(who, Running { task, signals, requests });
    }

    /// Kills a process. Its connections to routers break.
    pub(crate) fn kill(&self, who: Who) {
        self.world.note(format_args!("{who} is killed"));
        self.world.change(who, |conditions| conditions.life += 1);
        if let Who::Speaker(node) = who {
            self.world.cut_links(|placed| placed.node == node);
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.remove(&who) {
            running.task.abort();
        }
    }

    /// Sends a signal to a process, and starts it again once it has ended.
    pub(crate) async fn restart(&self, who: Who) {
        let signals = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.get(&who).map(|running| running.signals.clone())
        };
        let Some(signals) = signals else { return };
        self.world.note(format_args!("{who} gets a signal"));
        let _ = signals.try_send(());
        signals.closed().await;
        sleep(Duration::from_millis(200)).await;
        self.start(who);
    }

    /// Returns the way to ask a process.
    pub(crate) fn requests(&self, who: Who) -> Option<mpsc::Sender<StatusRequest>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(&who).map(|running| running.requests.clone())
    }
}

/// The main task of a process.
struct Process {
    world: Arc<World>,
    who: Who,
    program: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The end of the time for which the process hangs.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Future for Process {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let conditions = this.world.conditions(this.who);
            let now = Instant::now();
            if conditions.hang <= now {
                this.pause = None;
                let before = system::set_ahead(conditions.ahead);
                let polled = this.program.as_mut().poll(cx);
                system::set_ahead(before);
                return polled;
            }

            // The world may heal earlier.
            let until = conditions.hang.min(now + Duration::from_secs(1));
            let pause = this.pause.insert(Box::pin(sleep_until(until)));
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

fn identity(who: Who) -> Identity {
    let log = Log::fixed("info");
    match who {
        Who::Controller(_) => Identity::new(Program::Controller, None, log),
        Who::Speaker(node) => Identity::new(Program::Speaker, Some(node_name(node)), log),
    }
}

fn cluster_options(who: Who) -> ClusterOptions {
    ClusterOptions {
        kubeconfig: None,
        namespace: NAMESPACE.to_owned(),
        config_map: "config".to_owned(),
        class: None,
        pod: Some(who.to_string()),
        listen: Listen::nowhere(),
        certificate: None,
        auth: HttpAuth::None,
        log: Log::fixed("info"),
    }
}

/// The defaults of the command line.
fn controller_options(who: Who) -> ControllerOptions {
    ControllerOptions {
        cluster: cluster_options(who),
        election: ElectionConfig::default(),
        pool_grace_period: Duration::from_secs(300),
    }
}

/// The defaults of the command line, but for short drains, and for routes that stay over a restart.
fn speaker_options(who: Who, node: usize) -> SpeakerOptions {
    SpeakerOptions {
        cluster: cluster_options(who),
        node: node_name(node),
        ignore_exclude_label: false,
        on_exit: OnExit::Restart,
        drain: DrainTimes { marked: Duration::from_secs(3), withdrawn: Duration::from_secs(2) },
        drain_annotation: Some(DRAIN.to_owned()),
        drain_taint: None,
        heartbeat: Duration::from_secs(60),
        dataplane: DataplaneOptions {
            gate: DataplaneGate::Auto,
            delay: Duration::from_millis(1_200),
            kube_proxy_port: HEALTH_PORT,
        },
    }
}
