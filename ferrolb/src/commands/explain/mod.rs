//! The command `ferrolb explain`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::cli::Failure;
use crate::input::ProcessArgs;
use crate::input::{ClusterArgs, read_or_ask};
use crate::output::OutputFormat;
use crate::output::{Problems, fold_all, width_of_stdout};
use lb_adapter::explain::{Explanation, indent_of, write_text};
use lb_adapter::model::ServiceKey;
use lb_adapter::recording::Cluster;

/// Arguments of `ferrolb explain`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct ExplainArgs {
    /// The Service, as NAMESPACE/NAME; one without a namespace is in `default`.
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// A directory or file of manifests, or a recording as `ferrolb replay` takes it; `-` is stdin.
    /// Default: ask the process at --url, or --cluster.
    #[arg(long, value_name = "DIR|RECORDING")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub from: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Only this node.
    #[arg(long, value_name = "NAME", env = "FERROLB_NODE")]
    pub node: Option<String>,
    /// `json` prints one document.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// What a cluster is like.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Explains a Service.
///
/// # Errors
///
/// There is no such Service or node, or the files cannot be read or are wrong.
pub fn run(args: &ExplainArgs, problems: Problems) -> Result<(), Failure> {
    let from = args.from.as_deref();
    let cluster = read_or_ask(from, &args.process, &args.cluster, problems)?;
    let key = key(&args.service);
    let explanation = Explanation::of(&cluster, &key);
    let mut explanation = explanation.ok_or_else(|| unknown(&cluster, &key))?;
    if let Some(node) = &args.node {
        explanation.nodes.retain(|it| it.node == *node);
        if explanation.nodes.is_empty() {
            return Err(Failure::Unusable(format!("there is no Node {node}")));
        }
    }

    let mut out = io::stdout().lock();
    let written = match args.output {
        OutputFormat::Text => write_folded(&mut out, &explanation),
        OutputFormat::Json => serde_json::to_writer(&mut out, &explanation)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Unusable(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes it so that it fits a terminal: what a gate found stays in its column.
fn write_folded(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    let mut text = Vec::new();
    write_text(&mut text, explanation)?;
    let text = String::from_utf8_lossy(&text);
    out.write_all(fold_all(&text, width_of_stdout(), indent_of).as_bytes())
}

fn key(text: &str) -> ServiceKey {
    let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
    ServiceKey::new(namespace, name)
}

fn unknown(cluster: &Cluster, key: &ServiceKey) -> Failure {
    let namesakes = cluster.engine.service_keys();
    let namesakes: Vec<_> =
        namesakes.filter(|other| other.name == key.name).map(ToString::to_string).collect();
    let hint = match namesakes.as_slice() {
        [] => String::new(),
        namesakes => format!(", only {}", namesakes.join(", ")),
    };
    Failure::Unusable(format!("there is no Service {key}{hint}"))
}
