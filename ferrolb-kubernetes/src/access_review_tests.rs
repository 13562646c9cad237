//! The decisions of an API server in memory, and what becomes of them without one. Time is virtual.

use test_apiserver::{ApiServer, Fault, RecordedRequest};

use super::super::decision_cache::{ALLOWED_FOR, REFUSED_FOR};
use super::*;

const MANIFESTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus, namespace: monitoring}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{nonResourceURLs: [/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: monitoring}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reviewer}
rules:
- {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reviewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reviewer}
subjects: [{kind: ServiceAccount, name: speaker, namespace: lb}]
";
const PROMETHEUS: &str = "monitoring/prometheus";

fn server() -> (ApiServer, AccessReview) {
    let server = ApiServer::builder().manifests(&[MANIFESTS]).start_in_memory();
    let client = Client::new(server.service("lb/speaker"), "default");
    (server, AccessReview::new(client))
}

/// The number of reviews of tokens so far.
fn reviewed_tokens(server: &ApiServer) -> usize {
    let is_review = |asked: &RecordedRequest| asked.resource == "tokenreviews";
    server.asked().into_iter().filter(is_review).count()
}

#[tokio::test(start_paused = true)]
async fn the_api_server_decides_and_its_decisions_hold_for_a_while() {
    let (server, review) = server();
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);
    assert_eq!(reviewed_tokens(&server), 1);
    tokio::time::advance(ALLOWED_FOR).await;
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);
    assert_eq!(reviewed_tokens(&server), 2);

    let forbidden = |name: &str| Access::Forbidden(format!("system:serviceaccount:{name}"));
    let access = review.check(PROMETHEUS, "/v1/peers").await;
    assert_eq!(access, forbidden("monitoring:prometheus"));
    let access = review.check("default/stranger", "/metrics").await;
    assert_eq!(access, forbidden("default:stranger"));
    assert_eq!(review.check("default/nobody", "/metrics").await, Access::Unauthenticated);

    let before = reviewed_tokens(&server);
    review.check("default/nobody", "/metrics").await;
    assert_eq!(reviewed_tokens(&server), before);
    tokio::time::advance(REFUSED_FOR).await;
    review.check("default/nobody", "/metrics").await;
    assert_eq!(reviewed_tokens(&server), before + 1);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_only_those_may_read_who_were_allowed_before() {
    let (server, review) = server();
    server.set_delay(TIMEOUT * 2);
    let begin = Instant::now();
    let Access::Undecided(reason) = review.check(PROMETHEUS, "/metrics").await else {
        panic!("a decision")
    };
    assert_eq!(begin.elapsed(), TIMEOUT);
    assert!(reason.contains("no response"), "{reason}");

    // That there was no answer is not remembered.
    server.set_delay(Duration::ZERO);
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);

    server.fail_next(1, Fault::Internal);
    let access = review.check(PROMETHEUS, "/v1/peers").await;
    assert!(matches!(access, Access::Undecided(_)), "{access:?}");
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_may_not_ask_lets_nobody_in_and_says_why() {
    let server = ApiServer::builder().manifests(&[MANIFESTS]).start_in_memory();
    let review = AccessReview::new(Client::new(server.service("lb/controller"), "default"));
    let Access::Undecided(reason) = review.check(PROMETHEUS, "/metrics").await else {
        panic!("a decision")
    };
    assert!(reason.contains("tokenreviews is forbidden"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn wrong_tokens_do_not_burden_the_api_server() {
    let (server, review) = server();
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);
    for number in 0..1000 {
        review.check(&number.to_string(), "/metrics").await;
    }
    assert_eq!(reviewed_tokens(&server), BURST as usize);
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);

    tokio::time::advance(REFILL * 3).await;
    for number in 1000..1100 {
        review.check(&number.to_string(), "/metrics").await;
    }
    assert_eq!(reviewed_tokens(&server), BURST as usize + 3);

    // Nor do they keep out a reader whose permission has expired.
    tokio::time::advance(ALLOWED_FOR).await;
    for number in 2000..2100 {
        review.check(&number.to_string(), "/metrics").await;
    }
    assert_eq!(review.check(PROMETHEUS, "/metrics").await, Access::Allowed);
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_wait_for_their_decisions() {
    let (server, review) = server();
    server.set_delay(TIMEOUT / 20);
    let paths: Vec<_> = (0..BURST).map(|number| format!("/v1/{number}")).collect();
    let checks = paths.iter().map(|path| review.check(PROMETHEUS, path));
    let decisions = futures_util::future::join_all(checks).await;
    assert!(decisions.iter().all(|it| matches!(it, Access::Forbidden(_))), "{decisions:?}");
}
