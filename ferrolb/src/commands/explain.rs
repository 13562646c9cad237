//! `ferrolb explain`: the reasons why a Service is or isn't announced.
//!
//! Owns the command. [`lb_adapter::explain`] finds the reasons.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ferrolb_node::api::service_explanation;
use lb_adapter::explain::{Explanation, TextForm, indent_of, write_text};
use lb_adapter::model::ServiceKey;
use lb_adapter::recording::Cluster;

use crate::Failure;
use crate::input::{ClusterArgs, ProcessArgs, read_or_fetch};
use crate::output::{
    OutputFormat, Problems, fold_all, stdout_width, write_json_line, write_stdout,
};

/// Arguments of `ferrolb explain`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct ExplainArgs {
    /// The Service, as NAMESPACE/NAME, or NAME in the namespace `default`.
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// A directory or file of manifests, or a recording for `ferrolb replay`; `-` is stdin. Default: ask the process at
    /// --url, or --cluster.
    #[arg(long, value_name = "DIR|RECORDING")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub from: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Explain only this node.
    #[arg(long, value_name = "NAME", env = "FERROLB_NODE")]
    pub node: Option<String>,
    /// Show every gate of every node. Default: the gates of nodes that differ, once for nodes with the same outcome.
    #[arg(long)]
    pub all: bool,
    /// `json` prints one document, always with all nodes.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// The options of the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Explains a Service.
///
/// # Errors
///
/// No node announces the Service; there is no such Service or node; or the files cannot be read or have errors.
pub fn run(args: &ExplainArgs, problems: Problems) -> Result<(), Failure> {
    let from = args.from.as_deref();
    let cluster = read_or_fetch(from, &args.process, &args.cluster, problems)?;

    let key = service_key(&args.service);
    let Some(mut explanation) = Explanation::of(&cluster, &key) else {
        return Err(unknown_service(&cluster, &key));
    };
    if let Some(name) = &args.node {
        explanation.nodes.retain(|node| node.node == *name);
        if explanation.nodes.is_empty() {
            return Err(Failure::Unusable(format!("there is no Node {name}")));
        }
    }

    write_stdout(|out| match args.output {
        OutputFormat::Text => {
            let form = if args.all { TextForm::EveryNode } else { TextForm::Grouped };
            write_folded(out, &explanation, form)
        }
        OutputFormat::Json => write_json_line(out, &service_explanation(explanation.clone())),
    })?;
    if explanation.is_announced() { Ok(()) } else { Err(Failure::NotAnnounced) }
}

/// Writes an explanation that fits the terminal. Folded lines keep their column.
fn write_folded(out: &mut dyn Write, explanation: &Explanation, form: TextForm) -> io::Result<()> {
    let mut text = Vec::new();
    write_text(&mut text, explanation, form)?;
    let text = String::from_utf8_lossy(&text);
    out.write_all(fold_all(&text, stdout_width(), indent_of).as_bytes())
}

fn service_key(text: &str) -> ServiceKey {
    let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
    ServiceKey::new(namespace, name)
}

/// Returns the error for a Service that does not exist. It names the Services with the same name in other namespaces.
fn unknown_service(cluster: &Cluster, key: &ServiceKey) -> Failure {
    let services = cluster.engine.service_keys();
    let namesakes = services.filter(|other| other.name == key.name);
    let namesakes: Vec<_> = namesakes.map(ToString::to_string).collect();

    let hint = if namesakes.is_empty() {
        String::new()
    } else {
        format!(", only {}", namesakes.join(", "))
    };
    Failure::Unusable(format!("there is no Service {key}{hint}"))
}
