//! The objects of Services at the API server of the tests, in virtual time.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use test_apiserver::ApiServer;

use super::super::status_object::node_as_owner;
use super::*;

const DEFINITIONS: &str = include_str!("../../deploy/kustomize/crds/metallb.io.yaml");

struct Fixture {
    server: ApiServer,
    client: Client,
    statuses: ServiceBgpStatuses,
}

impl Fixture {
    async fn new() -> Self {
        let server = ApiServer::builder().manifests(&[DEFINITIONS]).start().await;
        let client = Client::new(server.service("admin"), "default");
        let statuses = ServiceBgpStatuses::new(client.clone(), "default", "kube1", "test");
        let mut fixture = Self { server, client, statuses };
        fixture.set_owner("first");
        fixture
    }

    fn set_owner(&mut self, uid: &str) {
        self.statuses.set_owner(&node_as_owner("kube1", uid));
    }

    fn announce(&mut self, service: &str, peers: &[&str]) {
        let peers = peers.iter().map(|peer| (*peer).to_owned()).collect();
        self.statuses.set(&ServiceKey::new("mail", service), peers);
    }

    /// Returns the changes that are reported within so many seconds.
    async fn within(&mut self, seconds: u64) -> Vec<AnnouncementChange> {
        let mut changes = Vec::new();
        let work = async {
            loop {
                changes.push(self.statuses.next().await);
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(seconds), work).await);
        changes
    }

    fn api(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("metallb.io", "v1beta1", "ServiceBGPStatus");
        let resource = ApiResource::from_gvk_with_plural(&kind, "servicebgpstatuses");
        Api::namespaced_with(self.client.clone(), "default", &resource)
    }

    /// Returns the UIDs of the Nodes that own objects with a status.
    async fn owners(&self) -> Vec<String> {
        let objects = self.api().list(&ListParams::default()).await.unwrap().items;
        let written = objects.iter().filter(|it| it.data["status"]["peers"].is_array());
        written.map(|it| it.owner_references()[0].uid.clone()).collect()
    }

    async fn delete_all(&self) {
        for object in self.api().list(&ListParams::default()).await.unwrap().items {
            let name = object.name_any();
            drop(self.api().delete(&name, &DeleteParams::default()).await.unwrap());
        }
    }
}

fn started(service: &str, peers: &[&str]) -> AnnouncementChange {
    let peers = peers.iter().map(|peer| (*peer).to_owned()).collect();
    AnnouncementChange::Started(ServiceKey::new("mail", service), Arc::new(peers))
}

#[tokio::test(start_paused = true)]
async fn a_node_replaced_during_a_list_gets_objects_of_its_own() {
    let mut fixture = Fixture::new().await;
    fixture.announce("smtp", &["tor"]);
    assert_eq!(fixture.within(60).await, [started("smtp", &["tor"])]);
    fixture.server.set_delay(Duration::from_secs(2));
    let asked = fixture.server.asked().len();
    // The next regular list begins, and has no response yet.
    while !matches!(fixture.statuses.list, List::UnderWay(_)) {
        assert_eq!(fixture.within(1).await, []);
    }
    fixture.set_owner("second");
    assert_eq!(fixture.server.asked().len(), asked);
    fixture.server.set_delay(Duration::ZERO);
    assert_eq!(fixture.within(5).await, []);
    // Beside the objects of the first, which nothing removes here.
    let owners = fixture.owners().await;
    assert!(owners.contains(&"second".to_owned()), "{owners:?}");
}

#[tokio::test(start_paused = true)]
async fn only_changes_are_reported_even_if_objects_are_created_again() {
    let mut fixture = Fixture::new().await;
    fixture.announce("smtp", &["tor"]);
    fixture.announce("imap", &["tor"]);
    assert_eq!(fixture.within(60).await, [started("imap", &["tor"]), started("smtp", &["tor"])]);

    for owner in ["second", "third"] {
        fixture.delete_all().await;
        fixture.set_owner(owner);
        assert_eq!(fixture.within(60).await, []);
        assert_eq!(fixture.owners().await, [owner, owner]);
    }

    // One announcement ends after the objects were deleted, before the next list.
    fixture.delete_all().await;
    fixture.set_owner("fourth");
    fixture.announce("smtp", &[]);
    assert_eq!(
        fixture.within(60).await,
        [AnnouncementChange::Stopped(ServiceKey::new("mail", "smtp"))]
    );
    assert_eq!(fixture.statuses.services.len(), 1);

    // A process that restarts finds what the last one reported.
    fixture.statuses = ServiceBgpStatuses::new(fixture.client.clone(), "default", "kube1", "test");
    fixture.set_owner("fourth");
    fixture.announce("imap", &["tor"]);
    assert_eq!(fixture.within(60).await, []);
    fixture.announce("imap", &[]);
    assert_eq!(
        fixture.within(60).await,
        [AnnouncementChange::Stopped(ServiceKey::new("mail", "imap"))]
    );
    assert_eq!(fixture.owners().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_list_or_write_without_a_response_is_retried() {
    let mut fixture = Fixture::new().await;
    fixture.announce("smtp", &["tor"]);
    let silence = Duration::from_secs(3600);
    // A list, and then a write.
    for service in ["smtp", "imap"] {
        fixture.announce(service, &["tor"]);
        fixture.server.set_delay(silence);
        assert_eq!(fixture.within(5).await, []);
        fixture.server.set_delay(Duration::ZERO);
        assert_eq!(fixture.within(60).await, [started(service, &["tor"])]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_object_is_refused_keeps_no_other_waiting() {
    let mut fixture = Fixture::new().await;
    // It is the first by name, and its labels are invalid.
    fixture.announce("-", &["tor"]);
    let services: Vec<_> = (0..40).map(|number| format!("s{number:02}")).collect();
    services.iter().for_each(|service| fixture.announce(service, &["tor"]));
    let expected: Vec<_> = services.iter().map(|service| started(service, &["tor"])).collect();
    assert_eq!(fixture.within(120).await, expected);
}

impl Fixture {
    /// Announces so many Services.
    fn announce_many(&mut self, count: usize) {
        (0..count).for_each(|number| self.announce(&format!("s{number:04}"), &["tor"]));
    }

    /// Returns the number of requests with this verb.
    fn asked(&self, verb: &str) -> usize {
        self.server.asked().iter().filter(|asked| asked.verb == verb).count()
    }
}

#[tokio::test(start_paused = true)]
async fn the_objects_of_a_thousand_services_take_seconds_at_a_fast_api_server() {
    let mut fixture = Fixture::new().await;
    fixture.server.set_delay(Duration::from_millis(5));
    fixture.announce_many(1_000);

    assert_eq!(fixture.within(7).await.len(), 1_000);
    assert_eq!((fixture.asked("create"), fixture.asked("patch")), (1_000, 1_000));
}

#[tokio::test(start_paused = true)]
async fn an_idle_api_server_gets_no_more_than_the_highest_rate() {
    let mut fixture = Fixture::new().await;
    fixture.announce_many(1_000);
    let written = fixture.within(2).await.len();
    assert!((350..=402).contains(&written), "{written}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_slow_gets_few_requests() {
    let mut fixture = Fixture::new().await;
    fixture.announce_many(1_000);
    assert!(!fixture.within(1).await.is_empty());

    // Each object takes two requests, and then a pause.
    fixture.server.set_delay(Duration::from_secs(1));
    drop(fixture.within(10).await);
    let before = fixture.asked("create");
    drop(fixture.within(60).await);
    let more = fixture.asked("create") - before;
    assert!((15..=21).contains(&more), "{more}");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_speaker_lists_once_and_writes_only_what_differs() {
    let mut fixture = Fixture::new().await;
    fixture.announce_many(500);
    assert_eq!(fixture.within(10).await.len(), 500);

    fixture.statuses = ServiceBgpStatuses::new(fixture.client.clone(), "default", "kube1", "test");
    fixture.set_owner("first");
    fixture.announce_many(500);
    fixture.announce("s0007", &["tor", "spine"]);
    let before = fixture.server.asked().len();
    assert_eq!(fixture.within(60).await, []);
    let asked = &fixture.server.asked()[before..];
    let verbs: Vec<_> = asked.iter().map(|request| request.verb).collect();
    // Three pages.
    assert_eq!(verbs, ["list", "list", "list", "patch"]);
}

#[tokio::test(start_paused = true)]
async fn a_creation_whose_response_is_lost_leaves_one_object() {
    let mut fixture = Fixture::new().await;
    assert_eq!(fixture.within(5).await, []);
    // After the list, so that the writer does not know of it.
    let smtp = ServiceKey::new("mail", "smtp");
    let name = fixture.statuses.objects.create(&smtp).await.unwrap();

    fixture.announce("smtp", &["tor"]);
    assert_eq!(fixture.within(5).await, [started("smtp", &["tor"])]);
    let found = fixture.api().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(found.iter().map(|it| it.name_any()).collect::<Vec<_>>(), [name.to_string()]);
}

#[tokio::test(start_paused = true)]
async fn writes_that_fail_together_cause_one_list() {
    let mut fixture = Fixture::new().await;
    fixture.announce_many(100);
    assert_eq!(fixture.within(10).await.len(), 100);

    fixture.server.set_delay(Duration::from_secs(3_600));
    (0..100).for_each(|number| fixture.announce(&format!("s{number:04}"), &["tor", "spine"]));
    drop(fixture.within(15).await);
    fixture.server.set_delay(Duration::ZERO);
    let before = fixture.asked("list");
    drop(fixture.within(35).await);

    assert_eq!(fixture.asked("list") - before, 1);
    let is_written = |entry: &ServiceEntry| {
        entry.desired.as_ref() == entry.written.as_ref().map(|written| &written.peers)
    };
    assert!(fixture.statuses.services.values().all(is_written));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_refused_keeps_no_other_from_being_restored() {
    let mut fixture = Fixture::new().await;
    fixture.announce("-", &["tor"]);
    fixture.announce("smtp", &["tor"]);
    assert_eq!(fixture.within(30).await, [started("smtp", &["tor"])]);

    fixture.delete_all().await;
    drop(fixture.within(700).await);
    assert_eq!(fixture.api().list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_refused_causes_no_list() {
    let mut fixture = Fixture::new().await;
    fixture.announce("-", &["tor"]);
    assert_eq!(fixture.within(120).await, []);
    assert_eq!(fixture.asked("list"), 1);
    assert!(fixture.asked("create") > 3);
}

/// As an operator of a large cluster does, by docs/scale.md.
#[tokio::test(start_paused = true)]
async fn a_cluster_may_give_up_the_resource_and_get_it_back() {
    let mut fixture = Fixture::new().await;
    fixture.announce("smtp", &["tor"]);
    assert_eq!(fixture.within(30).await, [started("smtp", &["tor"])]);

    let definitions: Api<CustomResourceDefinition> = Api::all(fixture.client.clone());
    let name = "servicebgpstatuses.metallb.io";
    let mut definition = definitions.get(name).await.unwrap();
    drop(definitions.delete(name, &DeleteParams::default()).await.unwrap());
    fixture.announce("imap", &["tor"]);
    fixture.announce("smtp", &["tor", "spine"]);
    assert_eq!(fixture.within(600).await, []);

    definition.metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    drop(definitions.create(&PostParams::default(), &definition).await.unwrap());
    assert_eq!(fixture.within(30).await, [started("imap", &["tor"])]);
    assert_eq!(fixture.owners().await, ["first", "first"]);
}
