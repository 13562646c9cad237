//! The arguments of `ferrolb controller`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use clap::{ArgAction, Args};
use ferrolb_kubernetes::ControllerOptions;
use ferrolb_kubernetes::election::ElectionConfig;
use ferrolb_node::grace;

use super::KubernetesArgs;
use crate::Failure;
use crate::input::parse_duration;

/// Arguments of `ferrolb controller`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ControllerArgs {
    /// The cluster, and the Services to serve.
    #[command(flatten)]
    pub cluster: KubernetesArgs,
    /// Time after which other replicas may take over from a silent leader, such as 15s.
    #[arg(long, value_name = "TIME", default_value = "15s", env = "FERROLB_LEASE_DURATION", value_parser = parse_duration)]
    pub lease_duration: Duration,
    /// Time after which a leader that cannot renew the Lease gives up; shorter than the Lease's duration.
    #[arg(long, value_name = "TIME", default_value = "10s", env = "FERROLB_RENEW_DEADLINE", value_parser = parse_duration)]
    pub renew_deadline: Duration,
    /// Time between two attempts to renew the Lease, or to take over.
    #[arg(long, value_name = "TIME", default_value = "2s", env = "FERROLB_RETRY_PERIOD", value_parser = parse_duration)]
    pub retry_period: Duration,
    /// Time for which Services keep their addresses after the last pool is deleted, such as 5m; 0 to release them at
    /// once.
    #[arg(long, value_name = "TIME", default_value = grace::DEFAULT_GRACE_PERIOD, env = "FERROLB_POOL_GRACE_PERIOD", value_parser = parse_duration)]
    pub pool_grace_period: Duration,
    /// MetalLB's. There are no validating webhooks here.
    #[arg(long, hide = true)]
    webhook_mode: Option<String>,
    #[arg(long, hide = true)]
    webhook_secret: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    webhook_http2: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    disable_cert_rotation: bool,
    #[arg(long, hide = true)]
    cert_dir: Option<String>,
    #[arg(long, hide = true)]
    cert_service_name: Option<String>,
    #[arg(long, hide = true, env = "METALLB_ML_SECRET_NAME")]
    ml_secret_name: Option<String>,
    #[arg(long, hide = true, env = "METALLB_DEPLOYMENT")]
    deployment: Option<String>,
}

impl ControllerArgs {
    /// Returns the options, and logs the arguments that have no effect.
    ///
    /// # Errors
    ///
    /// The times of the election are not in order, or tokens would cross the network in clear text.
    pub fn options(&self) -> Result<ControllerOptions, Failure> {
        let election = self.election()?;
        self.log_unused();

        Ok(ControllerOptions {
            cluster: self.cluster.options(IpAddr::V4(Ipv4Addr::UNSPECIFIED), "controller")?,
            election,
            pool_grace_period: self.pool_grace_period,
        })
    }

    fn election(&self) -> Result<ElectionConfig, Failure> {
        let config = ElectionConfig {
            lease_duration: self.lease_duration,
            renew_deadline: self.renew_deadline,
            retry_period: self.retry_period,
        };

        let in_order = config.retry_period > Duration::ZERO
            && config.retry_period < config.renew_deadline
            && config.renew_deadline < config.lease_duration
            && config.lease_duration >= Duration::from_secs(1);
        if in_order {
            return Ok(config);
        }
        Err(Failure::Unusable(format!(
            "expected 0 < --retry-period < --renew-deadline < --lease-duration, and a --lease-duration of 1s or more, \
             found {:?}, {:?} and {:?}",
            config.retry_period, config.renew_deadline, config.lease_duration
        )))
    }

    fn log_unused(&self) {
        self.cluster.unused.log(&[
            ("--webhook-mode", self.webhook_mode.is_some()),
            ("--webhook-secret", self.webhook_secret.is_some()),
            ("--webhook-http2", self.webhook_http2),
            ("--disable-cert-rotation", self.disable_cert_rotation),
            ("--cert-dir", self.cert_dir.is_some()),
            ("--cert-service-name", self.cert_service_name.is_some()),
            ("--ml-secret-name", self.ml_secret_name.is_some()),
            ("--deployment", self.deployment.is_some()),
        ]);
    }
}
