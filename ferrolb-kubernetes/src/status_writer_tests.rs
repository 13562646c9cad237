//! The writer at the API server of the tests, in virtual time.

use kube::Client;
use proptest::prelude::*;
use serde_json::json;
use test_apiserver::{ApiServer, Fault};

use super::super::resource::Kind;
use super::*;
use lb_adapter::model::ServiceKey;

const AT_ONCE: usize = 16;
const LIMITS: Limits = Limits {
    at_once: AT_ONCE,
    follows_load: false,
    spacing: Duration::ZERO,
    pause: (Duration::from_millis(200), Duration::from_secs(15)),
};

const SERVICES: usize = 60;

fn key(number: usize) -> ServiceKey {
    ServiceKey::new("default", format!("s{number:03}"))
}

/// A status that a test can distinguish from another.
fn status(number: u32) -> Value {
    json!({"status": {"conditions": [{"type": "example.com/Number", "status": "True", "reason": "Test",
        "message": number.to_string(), "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
}

/// A writer, and the values that the Services should have.
struct Fixture {
    server: ApiServer,
    client: Client,
    writer: StatusWriter<ServiceKey, u32>,
    wanted: BTreeMap<ServiceKey, u32>,
    /// The values that were written last, as the API server confirmed.
    written: BTreeMap<ServiceKey, u32>,
    turns: usize,
}

impl Fixture {
    async fn new() -> Self {
        let server = ApiServer::builder().start().await;
        for number in 0..SERVICES {
            server.put(json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"namespace": "default", "name": &*key(number).name},
                "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]}}));
        }
        let client = Client::new(server.service("admin"), "default");
        let writer = StatusWriter::new(LIMITS);
        let (wanted, written) = Default::default();
        Self { server, client, writer, wanted, written, turns: 0 }
    }

    fn want(&mut self, number: usize, value: u32) {
        self.wanted.insert(key(number), value);
        self.writer.mark(&key(number));
    }

    fn begin(&mut self) {
        let Self { client, writer, wanted, written, .. } = self;
        writer.begin(|key| {
            let Some(value) = wanted.get(key).copied() else { return Decision::Skip };
            if written.get(key) == Some(&value) {
                return Decision::Skip;
            }

            let resource = Kind::Service.api_resource();
            let api = Api::namespaced_with(client.clone(), &key.namespace, &resource);
            let name = key.name.clone();
            Decision::Write(async move {
                patch_status(&api, "test", &name, status(value)).await?;
                Ok(value)
            })
        });
    }

    /// Runs the loop of a controller until nothing happens within this time.
    async fn turn_for(&mut self, time: Duration) {
        loop {
            self.begin();
            self.turns += 1;
            let Ok(ended) = tokio::time::timeout(time, self.writer.next()).await else { return };
            if let Some((key, Outcome::Done(value))) = ended {
                self.written.insert(key, value);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn services_without_a_change_take_no_place() {
    let mut fixture = Fixture::new().await;
    for number in 0..SERVICES {
        fixture.want(number, 1);
        if number != SERVICES - 1 {
            fixture.written.insert(key(number), 1);
        }
    }
    fixture.begin();
    assert!(fixture.writer.is_writing(&key(SERVICES - 1)), "in the first turn, after all others");
    fixture.turn_for(Duration::from_secs(60)).await;
    assert_eq!(fixture.written, fixture.wanted);
    assert_eq!(fixture.turns, 2);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_can_never_be_written_keeps_no_other_waiting() {
    let mut fixture = Fixture::new().await;
    // More than may be under way, and before all others by name. The API server does not know them.
    let lost: Vec<_> =
        (0..2 * AT_ONCE).map(|it| ServiceKey::new("absent", format!("a{it}"))).collect();
    for key in &lost {
        fixture.wanted.insert(key.clone(), 1);
        fixture.writer.mark(key);
    }
    (0..SERVICES).for_each(|number| fixture.want(number, 1));

    let begin = Instant::now();
    let rest = fixture.wanted.len() - lost.len();
    while fixture.written.len() < rest {
        // Changes of their objects end their pauses.
        lost.iter().for_each(|key| fixture.writer.observed(key));
        fixture.turn_for(Duration::from_millis(1)).await;
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", fixture.written);
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_retried_after_a_pause_or_when_the_service_is_observed() {
    let mut fixture = Fixture::new().await;
    let patches =
        |server: &ApiServer| server.asked().iter().filter(|it| it.verb == "patch").count();
    fixture.server.fail_next(3, Fault::Conflict);
    fixture.want(0, 1);
    fixture.turn_for(Duration::from_millis(100)).await;
    assert_eq!(patches(&fixture.server), 1, "not again and again until the watch has shown why");
    fixture.writer.mark(&key(0));
    fixture.turn_for(Duration::from_millis(50)).await;
    assert_eq!(patches(&fixture.server), 1);
    fixture.writer.observed(&key(0));
    fixture.turn_for(Duration::from_millis(50)).await;
    assert_eq!(patches(&fixture.server), 2);
    // The watch has nothing to show.
    fixture.turn_for(Duration::from_secs(60)).await;
    assert_eq!(fixture.written, fixture.wanted);
    assert_eq!(patches(&fixture.server), 4);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_the_api_server_refuses_again_and_again_is_logged_once() {
    let (log, _guard) = test_log_lines::TestLog::begin();
    let mut writer: StatusWriter<ServiceKey, u32> = StatusWriter::new(LIMITS);
    writer.mark(&key(0));
    let mut attempts = 0;
    while attempts < 50 {
        writer.begin(|_| {
            Decision::Write(async {
                let status = kube::core::Status {
                    code: 403,
                    ..kube::core::Status::failure("no right", "Forbidden")
                };
                Err(WriteError::Request(kube::Error::Api(Box::new(status))))
            })
        });
        if let Some((_, Outcome::Failed(failure))) = writer.next().await {
            attempts += 1;
            log_failure!(failure, "cannot write the status");
        }
    }
    let warnings = log.lines("cannot write the status");
    assert_eq!(warnings.iter().filter(|line| line.contains(" WARN ")).count(), 1);
    assert_eq!(warnings.len(), 50);
}

#[test]
fn only_a_refusal_of_the_content_concerns_one_object_alone() {
    let error = |code| {
        let status = kube::core::Status { code, ..kube::core::Status::failure("no", "Test") };
        WriteError::Request(kube::Error::Api(Box::new(status)))
    };
    let refusals = [400, 401, 403, 413, 422, 429, 500, 503].into_iter();
    let refusals: Vec<u16> = refusals.filter(|code| error(*code).is_refusal()).collect();
    assert_eq!(refusals, [400, 413, 422]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_gone_is_not_looked_at() {
    let mut fixture = Fixture::new().await;
    fixture.want(0, 1);
    fixture.want(1, 1);
    fixture.writer.forget(&key(0));
    fixture.turn_for(Duration::from_secs(60)).await;
    assert_eq!(fixture.written.keys().collect::<Vec<_>>(), [&key(1)]);
    assert!(fixture.writer.queue.is_empty() && fixture.writer.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_marked_for_a_time_is_written_then_or_earlier() {
    let mut fixture = Fixture::new().await;
    let begin = Instant::now();
    for number in 0..2 {
        fixture.wanted.insert(key(number), 1);
        fixture.writer.mark_at(&key(number), begin + Duration::from_secs(10));
    }
    fixture.turn_for(Duration::from_secs(5)).await;
    assert!(fixture.written.is_empty());

    fixture.writer.mark_at(&key(1), begin + Duration::from_secs(20));
    fixture.writer.mark_at(&key(0), begin + Duration::from_secs(6));
    fixture.turn_for(Duration::from_secs(2)).await;
    assert_eq!(fixture.written.keys().collect::<Vec<_>>(), [&key(0)]);
    fixture.turn_for(Duration::from_secs(60)).await;
    assert_eq!(fixture.written, fixture.wanted);
    assert!(fixture.writer.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_marked_during_its_write_gets_another_turn() {
    let mut fixture = Fixture::new().await;
    fixture.want(0, 1);
    fixture.begin();
    assert!(fixture.writer.is_writing(&key(0)));
    fixture.want(0, 2);
    fixture.turn_for(Duration::from_secs(1)).await;
    assert_eq!(fixture.written, fixture.wanted);
}

#[tokio::test(start_paused = true)]
async fn writes_keep_their_spacing_and_their_order() {
    let mut fixture = Fixture::new().await;
    let spacing = Duration::from_millis(50);
    fixture.writer = StatusWriter::new(Limits { at_once: 1, spacing, ..LIMITS });
    for number in [3, 1, 2] {
        fixture.want(number, 1);
    }

    let begin = Instant::now();
    let mut order = Vec::new();
    while order.len() < 3 {
        fixture.begin();
        if let Some((key, Outcome::Done(_))) = fixture.writer.next().await {
            order.push(key.clone());
            fixture.written.insert(key, 1);
        }
    }
    assert_eq!(order, [key(3), key(1), key(2)]);
    assert!(begin.elapsed() >= spacing * 2, "{:?}", begin.elapsed());
}

#[derive(Clone, Debug)]
enum Step {
    Want(usize, u32),
    Mark(usize),
    Seen(usize),
    MarkAll,
    Forget(usize),
    Fail(usize, bool),
    Delay(u64),
    Turn(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let service = 0..SERVICES;
    prop_oneof![
        8 => (service.clone(), 1..4_u32).prop_map(|(at, value)| Step::Want(at, value)),
        2 => service.clone().prop_map(Step::Mark),
        2 => service.clone().prop_map(Step::Seen),
        2 => Just(Step::MarkAll),
        1 => service.prop_map(Step::Forget),
        1 => (1..40_usize, any::<bool>()).prop_map(|(count, conflict)| Step::Fail(count, conflict)),
        1 => (0..15_u64).prop_map(Step::Delay),
        4 => (0..3000_u64).prop_map(Step::Turn),
    ]
}

/// Runs marks, failures and turns in any order, and checks that everything due is written soon after.
async fn run(steps: Vec<Step>) {
    let mut fixture = Fixture::new().await;
    let mut faults = 0;
    for step in steps {
        match step {
            Step::Want(number, value) => fixture.want(number, value),
            Step::Mark(number) => fixture.writer.mark(&key(number)),
            Step::Seen(number) => fixture.writer.observed(&key(number)),
            Step::MarkAll => (0..SERVICES).for_each(|it| fixture.writer.mark(&key(it))),
            Step::Forget(number) => {
                fixture.wanted.remove(&key(number));
                fixture.writer.forget(&key(number));
            }
            Step::Fail(count, conflict) => {
                faults += count;
                let fault = if conflict { Fault::Conflict } else { Fault::Internal };
                fixture.server.fail_next(count, fault);
            }
            Step::Delay(seconds) => fixture.server.set_delay(Duration::from_secs(seconds)),
            Step::Turn(millis) => fixture.turn_for(Duration::from_millis(millis)).await,
        }
    }

    fixture.server.set_delay(Duration::ZERO);
    fixture.turns = 0;
    fixture.turn_for(Duration::from_secs(60)).await;
    for (key, value) in &fixture.wanted {
        assert_eq!(fixture.written.get(key), Some(value), "{key}");
    }
    // A turn begins as many writes as it may, and the end of a write or a pause is another turn.
    assert!(fixture.turns <= 3 * SERVICES + 2 * faults + 2, "{} turns", fixture.turns);
    let StatusWriter { entries, queue, waiting, tasks, .. } = &fixture.writer;
    let left = entries.len() + queue.len() + waiting.len() + tasks.len();
    assert_eq!(left, 0, "nothing is remembered of what is done");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn everything_due_is_written_in_a_bounded_number_of_turns(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(run(steps));
    }
}
