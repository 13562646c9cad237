//! The plan of a world: its size, and the steps that users and faults take, all from the seed.
//!
//! Owns what may happen and how often. A step names its target by number, so that every subset of the steps is a plan too, which
//! is how a failing seed is shrunk.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// The number of nodes of every world. Pods run on all of them.
pub(crate) const NODES: usize = 3;
/// The number of Services of a crowded world: more than the controller writes at a time.
pub(crate) const MOST_SERVICES: usize = 20;
/// Of this many worlds, one is large, and another one is crowded.
const LARGE: u8 = 96;

/// How much of each program runs in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) controllers: usize,
    /// The nodes from 0 up to this one have a speaker.
    pub(crate) speakers: usize,
    pub(crate) routers: usize,
}

impl Size {
    /// That of a large world.
    const LARGEST: Self = Self { controllers: 2, speakers: NODES, routers: 2 };

    /// Returns a small size. Most faults need one controller and one speaker. A candidate costs little, but each speaker costs as much
    /// as a leader. In a quarter of these worlds there are only controllers, which assign addresses that nobody announces.
    fn small(random: &mut Rng) -> Self {
        let mut more = |of| usize::from(random.u8(..of) == 0);
        let controllers = 1 + more(2);
        if more(4) == 1 {
            return Self { controllers, speakers: 0, routers: 0 };
        }
        Self { controllers, speakers: 1 + more(4) + more(6), routers: 1 + more(4) }
    }

    /// All processes.
    pub(crate) fn processes(self) -> impl Iterator<Item = Who> {
        let controllers = (0..self.controllers).map(Who::Controller);
        controllers.chain((0..self.speakers).map(Who::Speaker))
    }
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Controller(usize),
    Speaker(usize),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller(number) => write!(f, "controller-{number}"),
            Self::Speaker(node) => write!(f, "speaker-{node}"),
        }
    }
}

/// A failure of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFault {
    /// A response with this status.
    Status(u16),
    /// The request is lost.
    Lost,
    /// The API server processes the request, and the response is lost.
    ResponseLost,
}

/// What a user or a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A Service of type LoadBalancer is created, if there is none of this number.
    Create { service: usize, local: bool, shared: bool },
    /// It is deleted.
    Delete { service: usize },
    /// Its type becomes LoadBalancer or ClusterIP.
    SetType { service: usize, load_balancer: bool },
    /// It asks for an address of this pool, or of any.
    AskForPool { service: usize, pool: Option<usize> },
    /// It asks for the address that another Service has at that time, and gets it only if they share it.
    AskForAddress { service: usize, of: usize },
    /// Something about it changes that does not matter.
    Touch { service: usize },
    /// Its pods are ready on these nodes, given as bits.
    Scale { service: usize, nodes: u8 },
    /// A pool is created or deleted.
    SetPool { pool: usize, exists: bool },
    /// The condition `Ready` of a Node changes.
    SetReady { node: usize, ready: bool },
    /// The label that excludes a Node from load balancers is set or removed.
    Exclude { node: usize, excluded: bool },
    /// The annotation that drains a node is set or removed.
    Drain { node: usize, drained: bool },

    /// The next requests of a process fail.
    FailRequests { who: Who, count: u8, fault: RequestFault },
    /// Requests, responses and events of watches take up to this time.
    Delay { who: Who, most: Duration, time: Duration },
    /// A process cannot reach the API server.
    Partition { who: Who, time: Duration },
    /// All watches end: in order, in the middle of an event, or with a 410.
    CutWatches { how: u8 },
    /// The API server forgets its history.
    Compact,
    /// A process is killed, and starts again after this time.
    Kill { who: Who, time: Duration },
    /// A process gets a signal, ends in order, and starts again.
    Restart { who: Who },
    /// A process stops for this time.
    Hang { who: Who, time: Duration },
    /// The wall clock of a process jumps.
    JumpClock { who: Who, seconds: i32 },
    /// Nothing passes between a node and a router.
    Isolate { node: usize, router: usize, time: Duration },
    /// Their connection breaks.
    CutLink { node: usize, router: usize },
    /// A router loses everything, and is back after this time.
    RestartRouter { router: usize, time: Duration },
    /// The kube-proxy of a node does not answer, and follows no change.
    StopProxy { node: usize, time: Duration },
    /// The kube-proxy of a node takes this time to follow a change.
    SlowProxy { node: usize, lag: Duration, time: Duration },
}

/// A step: a pause, then an action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) pause: Duration,
    pub(crate) action: Action,
}

/// The plan of a world.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) size: Size,
    /// The number of Services that there may be. A few worlds are crowded.
    pub(crate) services: usize,
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let is_large = random.u8(..LARGE) == 0;
        let size = if is_large { Size::LARGEST } else { Size::small(&mut random) };
        let (services, count) = if is_large {
            (random.usize(3..7), random.usize(4..24))
        } else {
            (random.usize(1..4), random.usize(1..7))
        };
        let is_crowded = random.u8(..LARGE) == 0;
        let services = if is_crowded { MOST_SERVICES } else { services };

        let mut steps: Vec<_> = (0..services)
            .map(|service| Step {
                pause: millis(&mut random, 0..200),
                action: create(service, &mut random),
            })
            .collect();
        steps.extend((0..count).map(|_| Step {
            pause: pause(&mut random),
            action: action(size, services, &mut random),
        }));
        if services > 1 && random.u8(..3) == 0 {
            let service = random.usize(..services);
            let of = (service + random.usize(1..services)) % services;
            let action = Action::AskForAddress { service, of };
            let step = Step { pause: pause(&mut random), action };
            steps.insert(random.usize(services..=steps.len()), step);
        }
        Self { size, services, steps }
    }

    /// The plan of a seed that creates its Services in a large world, and nothing else.
    #[cfg(test)]
    pub(crate) fn without_faults(seed: u64) -> Self {
        let plan = Self::of(seed);
        let creations: Vec<_> = (0..plan.services).collect();
        Self { size: Size::LARGEST, ..plan.with_steps(&creations) }
    }

    /// Returns the plan without all steps but these, by their numbers. A step that stays keeps its pause.
    pub(crate) fn with_steps(&self, numbers: &[usize]) -> Self {
        let steps = self.steps.iter().enumerate();
        let kept = steps.filter(|(number, _)| numbers.contains(number)).map(|(_, step)| *step);
        Self { size: self.size, services: self.services, steps: kept.collect() }
    }
}

fn millis(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// Returns a pause. Many steps follow at once, so that they meet what the last one has begun.
fn pause(random: &mut Rng) -> Duration {
    match random.u8(..10) {
        0..4 => millis(random, 0..60),
        4..8 => millis(random, 60..2_500),
        _ => millis(random, 2_500..20_000),
    }
}

fn create(service: usize, random: &mut Rng) -> Action {
    Action::Create { service, local: random.u8(..3) == 0, shared: random.u8(..4) == 0 }
}

fn process(size: Size, random: &mut Rng) -> Who {
    match random.usize(..size.controllers + size.speakers) {
        number if number < size.controllers => Who::Controller(number),
        number => Who::Speaker(number - size.controllers),
    }
}

fn action(size: Size, services: usize, random: &mut Rng) -> Action {
    if random.bool() { user_action(size, services, random) } else { fault(size, random) }
}

fn user_action(size: Size, services: usize, random: &mut Rng) -> Action {
    let service = random.usize(..services);
    let node = random.usize(..size.speakers.max(1));
    match random.u8(..20) {
        0..3 => create(service, random),
        3..5 => Action::Delete { service },
        5..7 => Action::SetType { service, load_balancer: random.bool() },
        7 => Action::AskForPool { service, pool: random.bool().then(|| random.usize(..2)) },
        8 => Action::Touch { service },
        9..14 => Action::Scale { service, nodes: random.u8(..8) },
        14..16 => Action::SetPool { pool: random.usize(..2), exists: random.u8(..3) > 0 },
        16 => Action::SetReady { node, ready: random.bool() },
        17 => Action::Exclude { node, excluded: random.bool() },
        18 => Action::Drain { node, drained: random.bool() },
        _ => Action::Create { service, local: true, shared: false },
    }
}

fn fault(size: Size, random: &mut Rng) -> Action {
    let who = process(size, random);
    let has_speakers = size.speakers > 0;
    let [node, router] = [size.speakers, size.routers].map(|count| random.usize(..count.max(1)));
    let short = millis(random, 50..4_000);
    let long = millis(random, 500..40_000);
    // The last ones meet speakers, their nodes and routers.
    match random.u8(..if has_speakers { 20 } else { 15 }) {
        0..4 => {
            let faults = [
                RequestFault::Status(409),
                RequestFault::Status(410),
                RequestFault::Status(429),
                RequestFault::Status(500),
                RequestFault::Status(503),
                RequestFault::Lost,
                RequestFault::ResponseLost,
            ];
            let fault = faults[random.usize(..faults.len())];
            Action::FailRequests { who, count: random.u8(1..20), fault }
        }
        4..6 => Action::Delay { who, most: short, time: long },
        6..8 => Action::Partition { who, time: long },
        8 => Action::CutWatches { how: random.u8(..3) },
        9 => Action::Compact,
        10..12 => Action::Kill { who, time: millis(random, 50..20_000) },
        12 => Action::Restart { who },
        13 => Action::Hang { who, time: long },
        14 => Action::JumpClock { who, seconds: random.i32(-100_000..100_000) },
        15 => Action::Isolate { node, router, time: long },
        16 => Action::CutLink { node, router },
        17 => Action::RestartRouter { router, time: short },
        18 => Action::StopProxy { node, time: long },
        _ => Action::SlowProxy { node, lag: short, time: long },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_plan_and_other_seeds_have_others() {
        let texts: Vec<_> = (0..50).map(|seed| format!("{:?}", Plan::of(seed))).collect();
        for (seed, text) in (0..).zip(&texts) {
            assert_eq!(*text, format!("{:?}", Plan::of(seed)));
            assert_eq!(texts.iter().filter(|other| *other == text).count(), 1);
        }
    }

    #[test]
    fn most_worlds_are_small_and_every_size_occurs() {
        let plans: Vec<_> = (0..4_000).map(Plan::of).collect();
        let count = |is_such: fn(&Plan) -> bool| plans.iter().filter(|plan| is_such(plan)).count();
        assert!(count(|plan| plan.size.speakers <= 1 && plan.services <= 3) > 2_400);
        assert!(count(|plan| plan.size.speakers == 0) > 800);
        assert!(count(|plan| plan.size == Size::LARGEST && plan.steps.len() > 15) > 10);
        assert!(count(|plan| plan.services == MOST_SERVICES) > 20);
        for controllers in 1..=2 {
            for speakers in 0..=NODES {
                for routers in if speakers == 0 { 0..=0 } else { 1..=2 } {
                    let size = Size { controllers, speakers, routers };
                    assert!(plans.iter().any(|plan| plan.size == size), "{size:?}");
                }
            }
        }
    }

    #[test]
    fn a_shrunk_plan_has_the_chosen_steps_in_their_order() {
        let plan = Plan::of(1);
        let shrunk = plan.with_steps(&[2, 0]);
        let expected = [plan.steps[0].action, plan.steps[2].action];
        assert_eq!(shrunk.steps.iter().map(|step| step.action).collect::<Vec<_>>(), expected);
    }
}
