//! `ferrolb migrate`: a ConfigMap of MetalLB up to 0.12 as the resources of today.
//!
//! Owns the command and the names of what it makes, which are those of MetalLB's own converter. What
//! it prints was read again before, and is the same configuration.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::cli::Failure;
use crate::commands::check::Input;
use crate::input::ConfigurationArgs;
use crate::output::Problems;
use lb_adapter::config::Severity;
use lb_adapter::manifest::{self, Options, Source};
use lb_adapter::migration::migrate;

/// Arguments of `ferrolb migrate`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct MigrateArgs {
    /// The ConfigMap, or the bare text of a configuration; `-` is stdin.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The namespace of the ConfigMap and of the resources. Without --config the only ConfigMap with a
    /// configuration is taken, under any name.
    #[command(flatten)]
    pub configuration: ConfigurationArgs,
}

/// Prints the resources as YAML; what is odd goes to stderr.
///
/// # Errors
///
/// The configuration has errors, or means something that resources cannot say.
pub fn run(args: &MigrateArgs, problems: Problems) -> Result<(), Failure> {
    let input = Input::read(&args.files)?;
    let configuration = &args.configuration;
    let config_map = configuration.config_map.clone();
    let options = Options { config_map, lenient: true, ..configuration.manifests() };
    let examined = manifest::examine(&options, &input.name, &input.sources, Vec::new());
    let Some(migrated) = migrate(&examined, configuration.namespace()) else {
        problems.refused(&examined.problems, "nothing is migrated");
        return Err(Failure::Configuration);
    };
    if let Some(manifests) = &examined.manifests {
        problems.warnings(&manifests.warnings);
    }

    for note in &migrated.notes {
        problems.warning(note);
    }
    let text = to_yaml(&migrated.objects).map_err(Failure::unusable)?;
    let source = Source { name: "resources".to_owned(), octets: text.clone().into_bytes() };
    // The Secret that a peer names is in the cluster, where MetalLB 0.12 has read it too.
    let options = Options { config_required: false, lenient: false, passwords: false, ..options };
    if let Err(refused) = manifest::parse_with(&options, "resources", &[source]) {
        let errors = refused.as_slice().iter().filter(|it| it.severity == Severity::Error);
        for error in errors {
            problems.error(&format!("resources cannot say that: {}", error.message));
        }
        return Err(Failure::Configuration);
    }
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Unusable(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn to_yaml(objects: &[Value]) -> Result<String, serde_saphyr::ser::Error> {
    let mut text =
        String::from("# Made by ferrolb migrate. The ConfigMap is in force until it is deleted.\n");
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(object)?);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}
