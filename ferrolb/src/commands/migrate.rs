//! `ferrolb migrate`: a ConfigMap of MetalLB up to 0.12, as metallb.io resources.
//!
//! Owns the command. [`lb_adapter::migration`] makes the resources, with the names that MetalLB's own converter gives. The
//! command reads them back before it prints them.

use std::path::PathBuf;

use clap::Args;
use lb_adapter::config::Severity;
use lb_adapter::manifest::{self, Options, Source};
use lb_adapter::migration::migrate;
use serde_json::Value;

use crate::Failure;
use crate::input::{ConfigurationArgs, InputFiles};
use crate::output::{Problems, write_stdout};

/// Arguments of `ferrolb migrate`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct MigrateArgs {
    /// The ConfigMap, or the bare text of a configuration; `-` is stdin.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The namespace of the ConfigMap and of the resources. Without --config, the only ConfigMap with a configuration is
    /// used, whatever its name.
    #[command(flatten)]
    pub configuration: ConfigurationArgs,
}

/// Prints the resources as YAML, and warnings to stderr.
///
/// # Errors
///
/// The configuration has errors, or cannot be expressed in resources.
pub fn run(args: &MigrateArgs, problems: Problems) -> Result<(), Failure> {
    let files = InputFiles::read(&args.files)?;
    let configuration = &args.configuration;
    let config_map = configuration.config_map.clone();
    let options = Options { config_map, lenient: true, ..configuration.manifests() };

    let examined = manifest::examine(&options, &files.name, &files.sources, Vec::new());
    let Some(migrated) = migrate(&examined, configuration.namespace()) else {
        problems.rejected(&examined.problems, "nothing is migrated");
        return Err(Failure::Configuration);
    };
    if let Some(manifests) = &examined.manifests {
        problems.warnings(&manifests.warnings);
    }
    for note in &migrated.notes {
        problems.warning(note);
    }

    let text = to_yaml(&migrated.objects).map_err(Failure::unusable)?;
    check_resources(&text, options, problems)?;
    write_stdout(|out| out.write_all(text.as_bytes()))
}

/// Reads the resources back, and reports what they cannot express.
fn check_resources(text: &str, options: Options, problems: Problems) -> Result<(), Failure> {
    // The Secret that a peer names is in the cluster, where MetalLB 0.12 has read it too.
    let options = Options { config_required: false, lenient: false, passwords: false, ..options };
    let source = Source { name: "resources".to_owned(), octets: text.as_bytes().to_vec() };
    let Err(diagnostics) = manifest::parse_with(&options, "resources", &[source]) else {
        return Ok(());
    };

    for diagnostic in diagnostics.as_slice() {
        if diagnostic.severity == Severity::Error {
            problems.error(&format!("resources cannot express this: {}", diagnostic.message));
        }
    }
    Err(Failure::Configuration)
}

fn to_yaml(objects: &[Value]) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::from(
        "# Made by ferrolb migrate. The ConfigMap stays in force until it is deleted.\n",
    );
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(object)?);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}
