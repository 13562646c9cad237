//! [`AccessReview`]: the API server decides who may read the HTTP port of a program, as it does for its own paths.
//!
//! Owns the two questions, TokenReview and SubjectAccessReview, and their limits. A decision is kept for a short time. While the API
//! server gives none, no one without a known permission may read.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::decision_cache::{DecisionCache, RequestKey};
use super::reachability;
use ferrolb_node::causes;
use ferrolb_node::http::{Access, Authorization};

/// The decisions of the API server.
pub(super) struct AccessReview {
    client: Client,
    cache: Mutex<DecisionCache>,
    /// The questions that may be asked at the same time. Others wait.
    questions: Semaphore,
    budget: Mutex<Budget>,
    /// The time when the log last said that there is no decision.
    warned_at: Mutex<Option<Instant>>,
}

impl AccessReview {
    /// Returns a review by the API server of this client. It asks nothing yet.
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            cache: Mutex::default(),
            questions: Semaphore::new(QUESTIONS),
            budget: Mutex::new(Budget { left: BURST, filled_at: Instant::now() }),
            warned_at: Mutex::new(None),
        }
    }

    async fn decide(&self, token: &str, path: &str) -> Access {
        let key = RequestKey::of(token, path);
        if let Some(access) = lock(&self.cache).get(&key, Instant::now()) {
            return access;
        }
        // A permission that has only expired costs nothing, so that wrong tokens keep out no known reader.
        let was_allowed = lock(&self.cache).was_allowed(&key);
        if !was_allowed && !lock(&self.budget).take(Instant::now()) {
            return Access::Undecided("too many unknown clients ask".to_owned());
        }

        let asking = async {
            // The semaphore is never closed.
            let _question = self.questions.acquire().await;
            self.ask(token, path).await
        };
        let access = match timeout(TIMEOUT, asking).await {
            Ok(Ok(access)) => access,
            Ok(Err(error)) => self.undecided(&error),
            Err(_) => {
                let reason = format!("no response within {} s", TIMEOUT.as_secs());
                reachability::failed(&reason);
                return Access::Undecided(format!("the API server: {reason}"));
            }
        };
        lock(&self.cache).insert(key, &access, Instant::now());
        access
    }

    /// Asks who the owner of the token is, and whether this user may get the path.
    async fn ask(&self, token: &str, path: &str) -> Result<Access, kube::Error> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.to_owned().into(), ..TokenReviewSpec::default() },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let review = api.create(&PostParams::default(), &review).await?;
        let status = review.status.unwrap_or_default();
        let (Some(true), Some(user)) = (status.authenticated, status.user) else {
            return Ok(Access::Unauthenticated);
        };

        let name = user.username.clone().unwrap_or_default();
        let review = access_review(user, path);
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let review = api.create(&PostParams::default(), &review).await?;
        let is_allowed = review.status.is_some_and(|status| status.allowed);
        Ok(if is_allowed { Access::Allowed } else { Access::Forbidden(name) })
    }

    /// Logs why there is no decision, but not for each request.
    fn undecided(&self, error: &kube::Error) -> Access {
        let reason = match error {
            kube::Error::Api(status) => format!("the API server says: {}", status.message),
            _ => "the API server cannot be reached".to_owned(),
        };
        // An outage has a line of its own.
        if reachability::deserves_warning(error) {
            let mut warned_at = lock(&self.warned_at);
            if warned_at.is_none_or(|at| at.elapsed() >= WARN_AGAIN_AFTER) {
                *warned_at = Some(Instant::now());
                tracing::warn!(
                    "no new reader may read the HTTP port, because the API server does not decide who may: {}",
                    causes(error)
                );
            }
        }
        Access::Undecided(reason)
    }
}

impl Authorization for AccessReview {
    fn check<'a>(&'a self, token: &'a str, path: &'a str) -> BoxFuture<'a, Access> {
        Box::pin(self.decide(token, path))
    }
}

/// Without the client, and without the cache.
impl fmt::Debug for AccessReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessReview").finish_non_exhaustive()
    }
}

/// Returns the question whether a user may get a path.
fn access_review(user: UserInfo, path: &str) -> SubjectAccessReview {
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: user.username,
            groups: user.groups,
            uid: user.uid,
            extra: user.extra,
            non_resource_attributes: Some(NonResourceAttributes {
                path: Some(path.to_owned()),
                // A HEAD reveals less than a GET.
                verb: Some("get".to_owned()),
            }),
            resource_attributes: None,
        },
        ..SubjectAccessReview::default()
    }
}

/// The questions that may be asked now, so that clients with wrong tokens do not burden the API server.
#[derive(Debug)]
struct Budget {
    left: u32,
    filled_at: Instant,
}

impl Budget {
    /// Takes one question, if there is one left.
    fn take(&mut self, now: Instant) -> bool {
        let periods = now.duration_since(self.filled_at).as_millis() / REFILL.as_millis();
        if let Ok(periods @ 1..) = u32::try_from(periods) {
            self.left = self.left.saturating_add(periods).min(BURST);
            self.filled_at = now;
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of questions at a time.
const QUESTIONS: usize = 4;
/// The number of questions at once, and the time after which there is another one.
const BURST: u32 = 32;
const REFILL: Duration = Duration::from_millis(200);
/// The time for both answers. A scrape of Prometheus takes at most ten seconds by default.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The time between two warnings.
const WARN_AGAIN_AFTER: Duration = Duration::from_secs(300);

#[cfg(test)]
#[path = "access_review_tests.rs"]
mod tests;
