//! The arguments of both of MetalLB's programs that have no effect here. They are accepted, and named in the log.

use clap::Args;

#[derive(Clone, Debug, Args)]
pub(super) struct UnusedArgs {
    /// The port of health probes, which are at --port here.
    #[arg(long, hide = true)]
    health_probe_port: Option<u16>,
    #[arg(long, hide = true)]
    pprof_bind_address: Option<String>,
    #[arg(long, hide = true)]
    tls_min_version: Option<String>,
    #[arg(long, hide = true)]
    tls_cipher_suites: Option<String>,
    #[arg(long, hide = true)]
    tls_curve_preferences: Option<String>,
}

impl UnusedArgs {
    /// Logs the arguments that were given and have no effect, with those of the program itself.
    pub(super) fn log(&self, of_program: &[(&'static str, bool)]) {
        let common = [
            ("--health-probe-port", self.health_probe_port.is_some()),
            ("--pprof-bind-address", self.pprof_bind_address.is_some()),
            ("--tls-min-version", self.tls_min_version.is_some()),
            ("--tls-cipher-suites", self.tls_cipher_suites.is_some()),
            ("--tls-curve-preferences", self.tls_curve_preferences.is_some()),
        ];

        let all = common.iter().chain(of_program);
        let names: Vec<_> = all.filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        if !names.is_empty() {
            tracing::info!(
                arguments = names.join(" "),
                "ignoring arguments of MetalLB's that have no effect here"
            );
        }
    }
}
