//! `ferrolb services`: the Services of a process, and why some are not announced.

use std::io::{self, Write};

use clap::Args;
use ferrolb_api::{Service, ServiceList, ServiceState};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::view::{failure, show};
use crate::Failure;
use crate::client::{Client, Pages};
use crate::input::{ClusterNodeArgs, ViewArgs};
use crate::output::{
    BOLD, Cell, DIM, GREEN, Look, Page, RED, Table, ViewFormat, YELLOW, coloured, plain,
};

/// Arguments of `ferrolb services`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct ServicesArgs {
    /// Only Services with a problem that an operator should do something about.
    #[arg(long)]
    pub problems: bool,
    /// The speaker, in a cluster.
    #[command(flatten)]
    pub node: ClusterNodeArgs,
    /// The process, and the form of its answer.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// A page that keeps each Service as the process sent it.
#[derive(Deserialize)]
struct RawPage {
    services: Vec<Box<RawValue>>,
}

/// Shows the Services of a process, while they arrive.
///
/// # Errors
///
/// The process does not answer; or with `--problems`, there is one.
pub async fn run(args: &ServicesArgs) -> Result<(), Failure> {
    let node = args.node.of(&args.view.cluster)?;
    show(&args.view, node, async |client: &Client, page: &mut Page<'_>| {
        let problems = args.problems.then_some("true");
        let pages = Pages::new(client, "/v1/services", &[("problems", problems)]);
        let count = write_all(page, client, pages, args.problems).await?;
        if args.problems && count > 0 { Err(Failure::Unhealthy) } else { Ok(()) }
    })
    .await
}

/// Writes the Services, page by page. Returns their number.
async fn write_all(
    page: &mut Page<'_>,
    client: &Client,
    mut pages: Pages<'_>,
    problems: bool,
) -> Result<usize, Failure> {
    let is_json = page.look.format == ViewFormat::Json;
    if !is_json {
        let title = if problems { "Services with problems" } else { "Services" };
        page.write(|out, look| writeln!(out, "{}", look.style.paint(BOLD, title)))?;
    }

    let mut widths = Vec::new();
    let mut count = 0;
    while let Some(octets) = pages.next().await.map_err(failure)? {
        if is_json {
            let raw: RawPage = client.parse(pages.path(), &octets)?;
            count += raw.services.len();
            for service in &raw.services {
                page.document(service.get().as_bytes())?;
            }
        } else {
            let list: ServiceList = client.parse(pages.path(), &octets)?;
            count += list.services.len();
            page.write(|out, look| write_part(out, look, &list.services, &mut widths))?;
        }
        if page.is_closed() {
            return Ok(count);
        }
    }

    if count == 0 && !is_json {
        page.write(|out, _| writeln!(out, "  none"))?;
    }
    Ok(count)
}

/// Writes the Services of one page. `widths` has the widths of the columns so far.
fn write_part(
    out: &mut dyn Write,
    look: Look,
    services: &[Service],
    widths: &mut Vec<usize>,
) -> io::Result<()> {
    if services.is_empty() {
        return Ok(());
    }

    let is_wide = look.format == ViewFormat::Wide;
    let mut headings = vec!["NAMESPACE", "NAME", "STATE", "ADDRESS", "POOL", "NODES"];
    if is_wide {
        headings.extend(["GATE", "PROBLEM", "TO FIX IT"]);
    }
    let mut table = Table::new("", &headings);
    for service in services {
        let addresses: Vec<_> = service.addresses.iter().map(ToString::to_string).collect();
        let mut cells = vec![
            plain(&service.namespace),
            plain(&service.name),
            state(service),
            plain(if addresses.is_empty() { NONE.to_owned() } else { addresses.join(" ") }),
            plain(service.pool.as_deref().unwrap_or(NONE)),
            nodes(service),
        ];
        let problem = service.problem.as_ref();
        if is_wide {
            cells.push(plain(problem.map_or(NONE, |it| &it.gate)));
            cells.push(plain(problem.map_or(NONE, |it| &it.reason)));
            cells.push(plain(problem.and_then(|it| it.hint.as_deref()).unwrap_or(NONE)));
        }
        table.row(cells);

        if let Some(problem) = problem.filter(|_| !is_wide) {
            let colour = if problem.needs_action { YELLOW } else { DIM };
            table.note(coloured(format!("{}: {}", problem.gate, problem.reason), colour));
            if let Some(hint) = problem.hint.as_ref().filter(|_| problem.needs_action) {
                table.note(plain(format!("to fix it: {hint}")));
            }
        }
    }
    table.write_part(out, look.style, look.width, widths)
}

fn state(service: &Service) -> Cell {
    match service.state {
        ServiceState::Pending => coloured("pending", RED),
        ServiceState::NotAnnounced => coloured("not announced", RED),
        ServiceState::Announced => coloured("announced", GREEN),
        ServiceState::Assigned => coloured("assigned", GREEN),
        _ => plain("unknown"),
    }
}

/// Returns how many nodes announce a Service. A controller does not know that.
fn nodes(service: &Service) -> Cell {
    if service.state == ServiceState::Assigned {
        return plain(NONE);
    }
    plain(format!("{}/{}", service.announced_by, service.nodes))
}

const NONE: &str = "-";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::view::shown;

    fn services() -> Vec<Service> {
        let service = |name: &str, state: &str, addresses: &[&str], by: usize, problem: Value| {
            json!({
                "namespace": "mail", "name": name, "state": state, "addresses": addresses,
                "pool": (!addresses.is_empty()).then_some("default"), "announced_by": by, "nodes": 3,
                "problem": problem,
            })
        };
        let problem = |gate: &str, reason: &str, needs_action: bool| {
            json!({
                "gate": gate, "reason": reason, "needs_action": needs_action,
                "hint": "add addresses to the pool, or delete Services",
            })
        };
        let values = json!([
            service("imap", "announced", &["172.22.35.71", "fd00:22:35::71"], 3, Value::Null),
            service(
                "smtp",
                "announced",
                &["172.22.35.70"],
                1,
                problem(
                    "endpoints",
                    "externalTrafficPolicy is Local and no ready endpoint is on the node, only on kube2",
                    false,
                )
            ),
            service("pop3", "pending", &[], 0, problem("pool", "no pool has a free address", true)),
        ]);
        serde_json::from_value(values).unwrap()
    }

    #[test]
    fn the_reason_and_the_way_to_fix_it_are_below_each_service() {
        let text =
            |format| shown(format, |out, look| write_part(out, look, &services(), &mut Vec::new()));
        insta::assert_snapshot!(text(ViewFormat::Text), @r"
    NAMESPACE  NAME  STATE      ADDRESS                      POOL     NODES
    mail       imap  announced  172.22.35.71 fd00:22:35::71  default  3/3
    mail       smtp  announced  172.22.35.70                 default  1/3
      endpoints: externalTrafficPolicy is Local and no ready endpoint is on the
        node, only on kube2
    mail       pop3  pending    -                            -        0/3
      pool: no pool has a free address
      to fix it: add addresses to the pool, or delete Services
    ");
        insta::assert_snapshot!(text(ViewFormat::Wide), @r"
    NAMESPACE  NAME  STATE      ADDRESS                      POOL     NODES  GATE       PROBLEM                                                                             TO FIX IT
    mail       imap  announced  172.22.35.71 fd00:22:35::71  default  3/3    -          -                                                                                   -
    mail       smtp  announced  172.22.35.70                 default  1/3    endpoints  externalTrafficPolicy is Local and no ready endpoint is on the node, only on kube2  add addresses to the pool, or delete Services
    mail       pop3  pending    -                            -        0/3    pool       no pool has a free address                                                          add addresses to the pool, or delete Services
    ");
    }
}
