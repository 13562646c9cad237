//! `ferrolb pools`: the address pools of a process, what is free, and who holds what.

use std::io::{self, Write};

use clap::Args;
use ferrolb_api::{AddressHolders, Pool, PoolList, PoolUsage};

use super::view::{failure, show};
use crate::Failure;
use crate::client::{Client, Pages, escaped};
use crate::input::{ClusterNodeArgs, ViewArgs};
use crate::output::{
    BOLD, Cell, Look, Page, RED, Table, ViewFormat, YELLOW, coloured, counted, plain,
};

/// Arguments of `ferrolb pools`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct PoolsArgs {
    /// Show who holds the addresses of this pool. Default: a table of all pools.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The speaker, in a cluster.
    #[command(flatten)]
    pub node: ClusterNodeArgs,
    /// The process, and the form of its answer.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Shows the pools of a process.
///
/// # Errors
///
/// The process does not answer, or it has no such pool.
pub async fn run(args: &PoolsArgs) -> Result<(), Failure> {
    let node = args.node.of(&args.view.cluster)?;
    show(&args.view, node, async |client: &Client, page: &mut Page<'_>| match &args.name {
        None => show_all(client, page).await,
        Some(name) => {
            let path = format!("{PATH}/{}", escaped(name));
            show_one(client, page, Pages::new(client, &path, &[])).await
        }
    })
    .await
}

async fn show_all(client: &Client, page: &mut Page<'_>) -> Result<(), Failure> {
    let octets = client.get_raw(PATH, MAX_POOLS).await.map_err(failure)?;
    if page.look.format == ViewFormat::Json {
        return page.document(&octets);
    }
    let list: PoolList = client.parse(PATH, &octets)?;
    page.write(|out, look| write_list(out, look, &list))
}

/// Shows a pool and the holders of its addresses, page by page.
async fn show_one(
    client: &Client,
    page: &mut Page<'_>,
    mut pages: Pages<'_>,
) -> Result<(), Failure> {
    let mut widths = Vec::new();
    let mut is_first = true;
    while let Some(octets) = pages.next().await.map_err(failure)? {
        if page.look.format == ViewFormat::Json {
            page.document(&octets)?;
        } else {
            let pool: Pool = client.parse(pages.path(), &octets)?;
            page.write(|out, look| {
                if is_first {
                    write_head(out, look, &pool)?;
                }
                write_holders(out, look, &pool.holders, &mut widths)
            })?;
        }
        is_first = false;
        if page.is_closed() {
            break;
        }
    }
    Ok(())
}

fn write_list(out: &mut dyn Write, look: Look, list: &PoolList) -> io::Result<()> {
    pools("Pools", &list.pools).write_last(out, look.style, look.width)?;
    if list.pending > 0 {
        let services = counted(list.pending, "Service has", "Services have");
        let text = format!("{services} no address yet: see ferrolb services --problems");
        writeln!(out, "\n{}", look.style.paint(YELLOW, &text))?;
    }
    Ok(())
}

fn pools(title: &'static str, pools: &[Pool]) -> Table {
    let headings =
        ["POOL", "ADDRESSES", "AUTO", "IPV4 USED", "FREE", "IPV6 USED", "FREE", "SERVICES"];
    let mut table = Table::new(title, &headings);
    for pool in pools {
        let [used_4, free_4] = usage(&pool.ipv4);
        let [used_6, free_6] = usage(&pool.ipv6);
        table.row([
            plain(&pool.name),
            plain(pool.addresses.join(" ")),
            plain(if pool.auto_assign { "yes" } else { "no" }),
            used_4,
            free_4,
            used_6,
            free_6,
            plain(pool.services),
        ]);
    }
    table
}

/// Returns the cells with the used and with the free addresses of one family.
fn usage(usage: &PoolUsage) -> [Cell; 2] {
    if usage.total == "0" {
        return [plain("-"), plain("-")];
    }
    let free = short(&usage.free);
    let free = if usage.free == "0" { coloured(free, RED) } else { plain(free) };
    [plain(format!("{}/{}", usage.in_use, short(&usage.total))), free]
}

/// Returns a decimal number, rounded down to two digits if it is long.
fn short(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    match digits.as_slice() {
        [first, second, ..] if digits.len() > MAX_DIGITS => {
            format!("{first}.{second}e{}", digits.len() - 1)
        }
        _ => number.to_owned(),
    }
}

fn write_head(out: &mut dyn Write, look: Look, pool: &Pool) -> io::Result<()> {
    let title = format!("Pool {}", pool.name);
    writeln!(out, "{}", look.style.paint(BOLD, &title))?;
    pools("", std::slice::from_ref(pool)).write_part(
        out,
        look.style,
        look.width,
        &mut Vec::new(),
    )?;
    writeln!(out, "\n{}", look.style.paint(BOLD, "Addresses in use"))?;
    if pool.holders.is_empty() {
        writeln!(out, "  none")?;
    }
    Ok(())
}

fn write_holders(
    out: &mut dyn Write,
    look: Look,
    holders: &[AddressHolders],
    widths: &mut Vec<usize>,
) -> io::Result<()> {
    if holders.is_empty() {
        return Ok(());
    }
    let mut table = Table::new("", &["ADDRESS", "SHARING KEY", "SERVICES"]);
    for AddressHolders { address, services, sharing_key } in holders {
        let key = sharing_key.as_deref().unwrap_or("-");
        table.row([plain(address), plain(key), plain(services.join(" "))]);
    }
    table.write_part(out, look.style, look.width, widths)
}

const PATH: &str = "/v1/pools";
const MAX_POOLS: usize = 16 * 1024 * 1024;
/// The digits of a number that fits a column.
const MAX_DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::view::shown;

    fn pool() -> Value {
        json!({
            "name": "default", "addresses": ["172.22.35.64/26"], "auto_assign": true,
            "ipv4": {"total": "64", "in_use": 2, "free": "62"},
            "ipv6": {"total": "0", "in_use": 0, "free": "0"}, "services": 3,
        })
    }

    #[test]
    fn the_table_shows_what_is_free_and_how_many_services_wait() {
        let full = json!({
            "name": "small", "addresses": ["200.1.154.64/31", "fd00::/64"], "auto_assign": false,
            "ipv4": {"total": "2", "in_use": 2, "free": "0"},
            "ipv6": {"total": "18446744073709551616", "in_use": 1, "free": "18446744073709551615"},
            "services": 2,
        });
        let list = json!({"pools": [pool(), full], "pending": 1});
        let list: PoolList = serde_json::from_value(list).unwrap();
        insta::assert_snapshot!(shown(ViewFormat::Text, |out, look| write_list(out, look, &list)), @r"
    Pools
      POOL     ADDRESSES          AUTO  IPV4 USED  FREE  IPV6 USED  FREE    SERVICES
      default  172.22.35.64/26    yes   2/64       62    -          -       3
      small    200.1.154.64/31    no    2/2        0     1/1.8e19   1.8e19  2
               fd00::/64

    1 Service has no address yet: see ferrolb services --problems
    ");
    }

    #[test]
    fn the_holders_of_each_address_are_shown_with_their_key() {
        let mut pool = pool();
        pool["holders"] = json!([
            {"address": "172.22.35.64", "services": ["web/web"]},
            {"address": "172.22.35.70", "services": ["dns/tcp", "dns/udp"], "sharing_key": "dns"},
        ]);
        let pool: Pool = serde_json::from_value(pool).unwrap();
        let text = shown(ViewFormat::Text, |out, look| {
            write_head(out, look, &pool)?;
            write_holders(out, look, &pool.holders, &mut Vec::new())
        });
        insta::assert_snapshot!(text, @r"
    Pool default
      POOL     ADDRESSES        AUTO  IPV4 USED  FREE  IPV6 USED  FREE  SERVICES
      default  172.22.35.64/26  yes   2/64       62    -          -     3

    Addresses in use
      ADDRESS       SHARING KEY  SERVICES
      172.22.35.64  -            web/web
      172.22.35.70  dns          dns/tcp dns/udp
    ");
    }
}
