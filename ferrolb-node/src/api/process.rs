//! [`Process`]: the facts that a program provides about itself.
//!
//! Owns what is the same for every program. It computes nothing from the facts.

use std::future::{Future, ready};
use std::time::Instant;

use ferrolb_api::{
    ApiError, Configuration, Dataplane, Drain, EventKind, Node, Program, Timestamp, Watch,
};
use lb_adapter::engine::Engine;
use lb_adapter::recording::ProcessSnapshot;

use super::Refused;
use crate::WallClock;
use crate::actions::Controls;
use crate::events::{EventLog, NewEvent};
use crate::http::OBJECTS_NOT_KEPT;
use crate::log::Log;
use crate::sessions::Sessions;

/// What is the same for every program: facts that do not change, the clock, the log, and the events.
#[derive(Clone, Debug)]
pub struct Identity {
    program: Program,
    node: Option<String>,
    clock: WallClock,
    started: Instant,
    log: Log,
    events: EventLog,
}

impl Identity {
    /// Returns the identity of a process that starts now, with this log. Its start is the first event.
    pub fn new(program: Program, node: Option<String>, log: Log) -> Self {
        let clock = WallClock::now();
        let started = tokio::time::Instant::now().into_std();
        let events = EventLog::new();
        let version = env!("CARGO_PKG_VERSION");
        events.record(NewEvent::info(EventKind::Started, format!("FerroLB {version} started")));
        Self { program, node, clock, started, log, events }
    }

    /// Returns the program.
    pub fn program(&self) -> Program {
        self.program
    }

    /// Returns the node that the process speaks for, if it is one.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// Returns the time at which the process started.
    pub fn started_at(&self) -> Timestamp {
        self.time_of(self.started)
    }

    /// Returns the log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the events of the process.
    pub fn events(&self) -> &EventLog {
        &self.events
    }

    /// Returns the time of day of an instant.
    pub(super) fn time_of(&self, instant: Instant) -> Timestamp {
        // A copy follows a clock that was set, so that `time_of` needs no exclusive access.
        let mut clock = self.clock;
        clock.follow();
        clock.at(instant)
    }
}

/// The facts of a process. Each method is cheap, since the main loop answers.
pub trait Process {
    /// Returns the facts that do not change.
    fn identity(&self) -> &Identity;

    /// Returns the parts that an operator can act on.
    fn controls(&mut self) -> Controls<'_>;

    /// Carries out the step that is due after a change of the requests for a drain.
    fn advance_drain(&mut self) -> impl Future<Output = ()> {
        ready(())
    }

    /// Returns the engine. `None` is for a controller that does not lead and knows no objects.
    fn engine(&self) -> Option<&Engine>;

    /// Returns the sessions, if the process speaks BGP.
    fn sessions(&self) -> Option<&Sessions> {
        None
    }

    /// Returns the state of the configuration.
    fn configuration(&self) -> Configuration;

    /// Returns the reason why the process is not ready; `None` if it is.
    fn not_ready(&self) -> Option<String> {
        None
    }

    /// Returns true if this controller leads. Only controllers have an answer.
    fn is_leader(&self) -> Option<bool> {
        None
    }

    /// Returns the identity of the controller that leads, as far as this one knows.
    fn leader(&self) -> Option<String> {
        None
    }

    /// Returns the drain of the node.
    fn drain(&self) -> Drain {
        Drain::default()
    }

    /// Returns the watches of the API server.
    fn watches(&self) -> Vec<Watch> {
        Vec::new()
    }

    /// Returns the state of the dataplane gate, if there is one.
    fn dataplane(&self) -> Option<Dataplane> {
        None
    }

    /// Returns the nodes as their speakers report them, if the process does not speak for nodes itself.
    fn reported_nodes(&self) -> Option<Vec<Node>> {
        None
    }

    /// Asks the sessions which routes they cannot carry, for a process that does not do so with each change.
    fn refresh(&mut self) -> impl Future<Output = ()> {
        ready(())
    }

    /// Returns the text of `/metrics`.
    fn metrics(&self) -> String;

    /// Returns everything that the process knows, for `/objects`, or the reason why it does not keep that.
    fn objects(&mut self) -> impl Future<Output = Result<ProcessSnapshot, String>> {
        ready(Err(OBJECTS_NOT_KEPT.to_owned()))
    }
}

/// Returns the engine, or the answer of a controller that does not lead.
pub(super) fn leading_engine(process: &impl Process) -> Result<&Engine, Refused> {
    process.engine().ok_or_else(|| {
        let leader = match process.leader() {
            Some(leader) => format!("the leader is {leader}"),
            None => "no leader is known".to_owned(),
        };
        Refused::Unavailable(ApiError {
            error: format!("this controller does not lead: {leader}"),
            hint: Some("ask the controller that leads, or read /v1/status here".to_owned()),
        })
    })
}
