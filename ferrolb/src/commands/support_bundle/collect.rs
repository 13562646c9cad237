//! [`Collector`]: asks a process for everything, within bounds of time and size, and notes what it did not get.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use ferrolb_api::{LogLines, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::archive::Archive;
use super::host;
use super::redact::redact;
use crate::client::{Client, Pages, Place, escaped};

/// The answers of one process.
pub(super) struct Collector<'a> {
    client: &'a Client,
    /// The time after which nothing more is asked.
    deadline: Instant,
    /// The answer to `/v1/status`, which is asked first, as it names the archive.
    status: Option<Bytes>,
    notes: Vec<String>,
    errors: Vec<String>,
    /// The lists of which only a part is in the archive.
    left_out: Vec<String>,
    /// The number of routes for which there is room.
    routes_left: usize,
}

impl<'a> Collector<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        Self {
            client,
            deadline: Instant::now() + TIMEOUT,
            status: None,
            notes: Vec::new(),
            errors: Vec::new(),
            left_out: Vec::new(),
            routes_left: MAX_ROUTES,
        }
    }

    /// Adds something that the reader of the errors should know.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Returns the number of answers that failed.
    pub(super) fn failed(&self) -> usize {
        self.errors.len()
    }

    /// Asks for the status. Returns the name of the process's node, or else of the program.
    pub(super) async fn label(&mut self) -> String {
        self.status = self.get("/v1/status", MAX_ANSWER).await;
        let status = self.status.as_ref();
        let status: Option<Value> = status.and_then(|octets| serde_json::from_slice(octets).ok());
        let name =
            status.as_ref().and_then(|it| text_of(it, "node").or_else(|| text_of(it, "program")));
        name.unwrap_or("bundle").to_owned()
    }

    /// Asks for the rest, and adds all of it to the archive.
    ///
    /// # Errors
    ///
    /// The archive cannot be written. Answers that fail are noted in it.
    pub(super) async fn collect(
        &mut self,
        archive: &mut Archive,
        time: Timestamp,
    ) -> io::Result<()> {
        if self.client.place().may_be_here() {
            archive.add(&["host.txt"], host::machine().as_bytes())?;
        }
        if let Some(id) = self.client.process_id().await {
            archive.add(&["process.txt"], host::process(id).as_bytes())?;
        }

        if let Some(status) = self.status.take() {
            self.add_document(archive, &["status.json"], "/v1/status", &status)?;
        }
        for (file, path) in
            [("nodes.json", "/v1/nodes"), ("bfd.json", "/v1/bfd"), ("events.json", "/v1/events")]
        {
            self.document(archive, &[file], path).await?;
        }
        self.peers(archive).await?;
        self.pools(archive).await?;
        self.services(archive).await?;
        if let Some(metrics) = self.get("/metrics", MAX_ANSWER).await {
            archive.add(&["metrics.txt"], &metrics)?;
        }
        self.log(archive).await?;
        self.objects(archive).await?;

        if !self.errors.is_empty() {
            let lines: Vec<_> = self.notes.iter().chain(&self.errors).map(String::as_str).collect();
            archive.add(&["errors.txt"], format!("{}\n", lines.join("\n")).as_bytes())?;
        }
        archive.add(&["README.txt"], self.readme(time).as_bytes())
    }

    /// Adds the list of peers, and the detail and the routes of each.
    async fn peers(&mut self, archive: &mut Archive) -> io::Result<()> {
        let Some(list) = self.document(archive, &["peers.json"], "/v1/peers").await? else {
            return Ok(());
        };

        let peers = elements(&list, "peers");
        if peers.len() > MAX_PEERS {
            let (most, all) = (MAX_PEERS, peers.len());
            self.left_out.push(format!("detail and routes: of the first {most} of {all} peers"));
        }
        for peer in peers.iter().take(MAX_PEERS) {
            let (Some(node), Some(name)) = (text_of(peer, "node"), text_of(peer, "name")) else {
                continue;
            };
            let path = format!("/v1/peers/{}", escaped(name));
            let detail = format!("{path}?node={}", escaped(node));
            self.document(archive, &["peers", node, &format!("{name}.json")], &detail).await?;

            let pages = Pages::new(self.client, &format!("{path}/routes"), &[("node", Some(node))]);
            let most = MAX_ROUTES_OF_PEER.min(self.routes_left);
            let (routes, has_more) = self.list(pages, "routes", most).await;
            self.routes_left -= routes.len();
            if has_more {
                let planned = &peer["prefixes"]["planned"];
                let count = routes.len();
                self.left_out
                    .push(format!("routes of {name} on {node}: the first {count} of {planned}"));
            }
            add_lines(archive, &["routes", node, &format!("{name}.jsonl")], &routes)?;
        }
        Ok(())
    }

    /// Adds the pools, and who holds their addresses.
    async fn pools(&mut self, archive: &mut Archive) -> io::Result<()> {
        let Some(list) = self.document(archive, &["pools.json"], "/v1/pools").await? else {
            return Ok(());
        };

        for pool in elements(&list, "pools").iter().take(MAX_POOLS) {
            let Some(name) = text_of(pool, "name") else { continue };
            let pages = Pages::new(self.client, &format!("/v1/pools/{}", escaped(name)), &[]);
            let (holders, has_more) = self.list(pages, "holders", MAX_HOLDERS).await;
            if has_more {
                let count = holders.len();
                self.left_out.push(format!("addresses of the pool {name}: the first {count}"));
            }
            add_lines(archive, &["pools", &format!("{name}.jsonl")], &holders)?;
        }
        Ok(())
    }

    /// Adds the Services, and the explanations of those with problems.
    async fn services(&mut self, archive: &mut Archive) -> io::Result<()> {
        let pages = Pages::new(self.client, "/v1/services", &[]);
        let (services, has_more) = self.list(pages, "services", MAX_SERVICES).await;
        if has_more {
            self.left_out.push(format!("Services: the first {}", services.len()));
        }
        add_lines(archive, &["services.jsonl"], &services)?;

        // The process decides what a problem is.
        let pages = Pages::new(self.client, "/v1/services", &[("problems", Some("true"))]);
        let (problems, has_more) = self.list(pages, "services", MAX_EXPLANATIONS).await;
        if has_more {
            let count = problems.len();
            self.left_out.push(format!("explanations: the first {count} Services with problems"));
        }
        for service in &problems {
            let names = (text_of(service, "namespace"), text_of(service, "name"));
            let (Some(namespace), Some(name)) = names else { continue };
            let path = format!("/v1/services/{}/{}", escaped(namespace), escaped(name));
            let file = format!("{name}.json");
            self.document(archive, &["explanations", namespace, &file], &path).await?;
        }
        Ok(())
    }

    /// Adds the last lines of the log, which a process tells only over its socket.
    async fn log(&mut self, archive: &mut Archive) -> io::Result<()> {
        if !matches!(self.client.place(), Place::Socket(_)) {
            return Ok(());
        }

        let Some(octets) = self.get("/v1/log", MAX_ANSWER).await else { return Ok(()) };
        match serde_json::from_slice::<LogLines>(&octets) {
            Ok(log) => {
                if log.dropped > 0 {
                    let count = log.lines.len();
                    self.left_out.push(format!("log.txt: the last {count} lines"));
                }
                let text: String = log.lines.iter().flat_map(|line| [line, "\n"]).collect();
                archive.add(&["log.txt"], text.as_bytes())
            }
            Err(error) => {
                self.fail("/v1/log", &error);
                Ok(())
            }
        }
    }

    /// Adds the objects and the configuration, of a process that keeps them.
    async fn objects(&mut self, archive: &mut Archive) -> io::Result<()> {
        let Some(octets) = self.get("/objects", MAX_OBJECTS).await else { return Ok(()) };

        let mut kept = Vec::with_capacity(octets.len());
        for line in octets.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Value>(line) {
                Ok(mut object) => {
                    redact(&mut object);
                    serde_json::to_writer(&mut kept, &object)?;
                    kept.push(b'\n');
                }
                // What cannot be read cannot be searched for secrets.
                Err(error) => self.fail("/objects", &format!("a line is left out: {error}")),
            }
        }
        archive.add(&["objects.jsonl"], &kept)
    }

    /// Asks for a document, and adds it. Returns it.
    async fn document(
        &mut self,
        archive: &mut Archive,
        file: &[&str],
        path: &str,
    ) -> io::Result<Option<Value>> {
        match self.get(path, MAX_ANSWER).await {
            Some(octets) => self.add_document(archive, file, path, &octets),
            None => Ok(None),
        }
    }

    fn add_document(
        &mut self,
        archive: &mut Archive,
        file: &[&str],
        path: &str,
        octets: &[u8],
    ) -> io::Result<Option<Value>> {
        match serde_json::from_slice::<Value>(octets) {
            Ok(mut document) => {
                redact(&mut document);
                archive.add(file, &serde_json::to_vec_pretty(&document)?)?;
                Ok(Some(document))
            }
            Err(error) => {
                self.fail(path, &error);
                Ok(None)
            }
        }
    }

    /// Returns the first elements of a list without secrets, and true if there are more.
    async fn list(&mut self, mut pages: Pages<'_>, key: &str, most: usize) -> (Vec<Value>, bool) {
        let path = pages.path().to_owned();
        let mut all = Vec::new();
        loop {
            let octets = match timeout_at(self.deadline, pages.next()).await {
                Ok(Ok(Some(octets))) => octets,
                Ok(Ok(None)) => return (all, false),
                Ok(Err(error)) => {
                    self.fail(&path, &error);
                    return (all, false);
                }
                Err(_) => {
                    self.fail(&path, &LATE);
                    return (all, false);
                }
            };

            let mut page: Value = serde_json::from_slice(&octets).unwrap_or_default();
            redact(&mut page);
            let elements = elements(&page, key);
            let room = most - all.len();
            all.extend(elements.iter().take(room).cloned());
            if elements.len() > room || (all.len() == most && page.get("next").is_some()) {
                return (all, true);
            }
        }
    }

    async fn get(&mut self, path: &str, limit: usize) -> Option<Bytes> {
        match timeout_at(self.deadline, self.client.get_raw(path, limit)).await {
            Ok(Ok(octets)) => return Some(octets),
            Ok(Err(error)) => self.fail(path, &error),
            Err(_) => self.fail(path, &LATE),
        }
        None
    }

    fn fail(&mut self, path: &str, error: &dyn Display) {
        self.errors.push(format!("{path}: {error}"));
    }

    fn readme(&self, time: Timestamp) -> String {
        let (version, place) = (env!("CARGO_PKG_VERSION"), self.client.place());
        let mut text = format!("Made at {time} by ferrolb {version} from {place}.\n\n{FILES}\n");

        let left_out: BTreeSet<_> = self.left_out.iter().collect();
        if !left_out.is_empty() {
            text.push_str("\nLists that are not complete:\n");
            for line in left_out {
                text.push_str(&format!("  {line}\n"));
            }
        }
        text
    }
}

fn add_lines(archive: &mut Archive, file: &[&str], elements: &[Value]) -> io::Result<()> {
    let mut lines = Vec::new();
    for element in elements {
        serde_json::to_writer(&mut lines, element)?;
        lines.push(b'\n');
    }
    archive.add(file, &lines)
}

fn elements<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text_of<'a>(document: &'a Value, key: &str) -> Option<&'a str> {
    document.get(key).and_then(Value::as_str)
}

const FILES: &str = "\
errors.txt         answers that failed, each with the reason; missing if there are none
host.txt           kernel, load, memory, limits and network of the machine that made this, but not
                   through an API server
process.txt        arguments, limits and memory of the process, if its socket was asked
status.json        what ferrolb status shows
nodes.json         nodes and their sessions
peers.json         all peers; peers/NODE/NAME.json has the detail of each
routes/            the Adj-RIB-Out of each peer, a route on each line
bfd.json           BFD sessions
services.jsonl     a Service on each line; explanations/ has those with problems, gate by gate
pools.json         pools; pools/NAME.jsonl has the addresses in use, one on each line
events.json        the events that the process has kept
metrics.txt        the metrics
log.txt            the last lines of the log since the start, if the socket of the process was asked
objects.jsonl      the configuration and the objects: ferrolb explain, diff and replay read it

A speaker or controller does not keep the objects of its cluster. The command
ferrolb explain NAMESPACE/NAME --cluster reads them from the API server.

The log before the process started, and the log of a process that was asked over a URL or through
an API server, are not in here. To add them:
  journalctl -u ferrolb --since '-1 day' > log.txt
  kubectl -n ferrolb-system logs POD --since 24h > log.txt
  kubectl -n ferrolb-system logs POD --previous > log-previous.txt

Passwords, data of Secrets and annotations of other programs have been replaced by
PASSWORD. Addresses, AS numbers and names of Services, nodes and peers are as they are.";

/// The time for all answers. A process that hangs refuses each question after 2 seconds.
const TIMEOUT: Duration = Duration::from_secs(60);
const LATE: &str = "not complete after the 60 seconds that a bundle may take";
const MAX_ANSWER: usize = 16 * 1024 * 1024;
const MAX_OBJECTS: usize = 64 * 1024 * 1024;
const MAX_PEERS: usize = 500;
const MAX_ROUTES: usize = 50_000;
const MAX_ROUTES_OF_PEER: usize = 10_000;
const MAX_POOLS: usize = 500;
const MAX_HOLDERS: usize = 10_000;
const MAX_SERVICES: usize = 20_000;
const MAX_EXPLANATIONS: usize = 50;

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_never_answers_does_not_keep_the_command() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kube1.sock");
        let _listener = UnixListener::bind(&path).unwrap();

        let client = Client::new(Place::Socket(path));
        let mut collector = Collector::new(&client);
        let begin = Instant::now();
        assert_eq!(collector.label().await, "bundle");
        let mut archive = Archive::new("root".to_owned(), Timestamp::UNIX_EPOCH);
        collector.collect(&mut archive, Timestamp::UNIX_EPOCH).await.unwrap();

        assert!(begin.elapsed() <= TIMEOUT + Duration::from_secs(2), "{:?}", begin.elapsed());
        assert!(!archive.finish().unwrap().is_empty());
        let errors = &collector.errors;
        assert_eq!(errors.len(), 11, "a line for each answer: {errors:#?}");
        assert!(errors[0].starts_with("/v1/status: "), "{errors:#?}");
        assert!(errors[0].contains("not complete after 15 seconds"), "{errors:#?}");
        assert_eq!(errors[10], format!("/objects: {LATE}"));
    }
}
