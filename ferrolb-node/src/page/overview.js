// The first view: what is wrong, the numbers of the process, the matrix of nodes and routers, the latest events.

import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { eventList } from "./events.js";
import { amount, badge, counting, empty, href, link, missing, problem, section, sessionKind, sessionText, symbol, table, ticking } from "./parts.js";
import { allEvents, answer, data } from "./store.js";

const NODES = "v1/nodes";
/** The number of events in this view. */
const LATEST = 8;
/** The most problems of nodes in this view. */
const MAX_NODE_PROBLEMS = 50;

export function paths() {
  return [NODES];
}

export function title() {
  return "Overview";
}

export function render() {
  const status = data("v1/status");
  if (!status) return [h("h1", { tabindex: -1, class: "visually-hidden" }, "Overview"), missing(answer("v1/status"), "the status")];
  return [
    h("h1", { tabindex: -1, class: "visually-hidden" }, "Overview"),
    problems(status),
    tiles(status),
    section("Nodes and routers", matrix(status.program !== "controller")),
    status.watches.length > 0 && section("Watches of the API server", watches(status.watches)),
    section("Latest events", latest()),
  ];
}

/** Returns all problems, those of nodes included: `{ severity, subject, text, hint }`. */
export function allProblems() {
  const own = data("v1/status")?.problems ?? [];
  const known = new Set(own.map((one) => `${one.subject} ${one.text}`));
  const nodes = data(NODES)?.nodes ?? [];
  const ofNodes = nodes.flatMap((node) => node.problems
    .filter((one) => !known.has(`${one.subject} ${one.text}`))
    .map((one) => ({ ...one, subject: `${node.name}: ${one.subject}` })));
  return [...own, ...ofNodes].sort((one, other) => rank(one) - rank(other));
}

function rank(one) {
  return { error: 0, warning: 1 }[one.severity] ?? 2;
}

function problems(status) {
  const all = allProblems();
  if (all.length === 0) {
    const notReady = status.not_ready && problem("warning", "not ready", status.not_ready);
    return h("section", { class: "problems", "aria-label": "Problems" }, notReady || h("p", { class: "fine" }, symbol("ok"), "No problems."));
  }
  const shown = all.slice(0, MAX_NODE_PROBLEMS);
  return h("section", { class: "problems" },
    h("h2", null, plural(all.length, "problem")),
    h("ul", { class: "plain" }, shown.map((one) => h("li", { "data-key": `${one.subject} ${one.text}` }, problem(one.severity, subject(one), one.text, one.hint)))),
    all.length > shown.length && h("p", { class: "more" }, `and ${plural(all.length - shown.length, "problem")} more`),
    status.configuration.errors.length > 0 && h("details", { open: true }, h("summary", null, plural(status.configuration.errors.length, "error"), " in the latest configuration"),
      h("ul", { class: "errors" }, status.configuration.errors.map((error) => h("li", null, h("code", null, error))))));
}

function subject(one) {
  const [kind, name] = one.subject.split(" ");
  if (kind === "service" && name?.includes("/")) {
    const [namespace, ...rest] = name.split("/");
    return link(["service", namespace, rest.join("/")], null, one.subject);
  }
  return one.subject;
}

function tiles(status) {
  const { bfd, prefixes, services, dataplane } = status;
  const isController = status.program === "controller";
  const peers = isController ? peersOfNodes() : status.peers;
  const expected = peers.expected - peers.disabled;
  return h("ul", { class: "tiles", "aria-label": "Numbers" },
    tile("Sessions", [isController ? "" : "sessions"], peers.expected === 0 ? null : [peers.established, peers.expected], peers.established >= expected ? "ok" : "bad",
      peers.disabled > 0 ? `${peers.disabled} disabled` : peers.expected === 0 ? "none" : "established"),
    bfd.expected > 0 && tile("BFD", ["sessions"], [bfd.up, bfd.expected], bfd.up >= bfd.expected ? "ok" : "bad", "up"),
    !isController && peers.expected > 0 && tile("Prefixes", ["routes"], [prefixes.sent, prefixes.planned], prefixes.unsendable > 0 ? "bad" : prefixes.sent < prefixes.planned ? "wait" : "ok",
      prefixes.unsendable > 0 ? `${count(prefixes.unsendable)} cannot be sent` : "at the routers"),
    serviceTile(status, services),
    configurationTile(status.configuration),
    dataplane && dataplaneTile(dataplane));
}

/** Counts the sessions of all nodes, for a controller, which has none itself. Those of a silent node are not known. */
function peersOfNodes() {
  const nodes = data(NODES)?.nodes ?? [];
  const all = nodes.flatMap((node) => node.peers.map((peer) => ({ ...peer, isKnown: !node.silent })));
  return {
    expected: all.length,
    established: all.filter((peer) => peer.isKnown && peer.state === "Established").length,
    disabled: all.filter((peer) => peer.disabled).length,
  };
}

function serviceTile(status, services) {
  const isController = status.program === "controller";
  const kind = services.pending > 0 ? "warn" : "ok";
  const values = isController ? [services.total - services.pending, services.total] : [services.announced, services.total];
  const what = isController ? "have addresses" : "announced";
  return tile("Services", ["services"], values, kind, services.pending > 0 ? `${count(services.pending)} pending` : what);
}

function configurationTile(configuration) {
  const kind = { valid: "ok", stale: "bad", missing: "bad" }[configuration.state] ?? "warn";
  const text = { valid: "Valid", stale: "Stale", missing: "Missing" }[configuration.state] ?? configuration.state;
  const age = configuration.loaded_at ? ["loaded ", ticking(Date.parse(configuration.loaded_at)), " ago"] : ["not loaded yet"];
  return h("li", { class: `tile tile-${kind}` }, h("div", { class: "tile-body" },
    h("span", { class: "tile-name" }, "Configuration"),
    h("span", { class: "tile-value" }, symbol(kind), text),
    h("span", { class: "tile-note" }, ...age)));
}

function dataplaneTile({ held, depreferenced, withdrawn, kube_proxy_healthy: healthy }) {
  const kind = healthy === false ? "bad" : held + depreferenced + withdrawn > 0 ? "warn" : "ok";
  const value = healthy === false ? "kube-proxy fails" : held + withdrawn > 0 ? `${held + withdrawn} held back` : depreferenced > 0 ? `${depreferenced} depreferenced` : "Open";
  return h("li", { class: `tile tile-${kind}` }, h("div", { class: "tile-body" },
    h("span", { class: "tile-name" }, "Dataplane gate"),
    h("span", { class: "tile-value" }, symbol(kind), value),
    h("span", { class: "tile-note" }, healthy === true ? "kube-proxy is healthy" : healthy === false ? "held back until it is healthy" : "kube-proxy not heard")));
}

function tile(name, target, values, kind, note) {
  const value = values ? [count(values[0]), h("span", { class: "of" }, h("span", { class: "visually-hidden" }, " of "), h("span", { "aria-hidden": "true" }, "/"), count(values[1]))] : ["–"];
  return h("li", { class: `tile tile-${kind}` }, h("a", { class: "tile-body", href: href(target) },
    h("span", { class: "tile-name" }, name),
    h("span", { class: "tile-value" }, symbol(kind), h("span", null, ...value)),
    h("span", { class: "tile-note" }, note)));
}

function matrix(hasPeers) {
  const nodes = data(NODES)?.nodes;
  if (!nodes) return missing(answer(NODES), "the nodes");
  if (nodes.length === 0) return empty("No node is known yet.");
  const at = answer(NODES).at;
  const routers = [...new Set(nodes.flatMap((node) => node.peers.map((peer) => peer.name)))].sort();
  const columns = [{ title: "Node" }, ...routers.map((name) => ({ title: name }))];
  const rows = nodes.map((node) => ({
    key: node.name,
    cells: [nodeCell(node), ...routers.map((name) => cell(node, node.peers.find((peer) => peer.name === name), at, hasPeers))],
  }));
  return h("div", { class: "scroll", role: "region", "aria-label": "Nodes and routers", tabindex: 0 },
    table("The session of each node with each router", columns, rows, { class: "matrix" }));
}

function nodeCell(node) {
  return h("div", { class: "node-cell" },
    h("span", { class: "node-name" }, node.name),
    node.silent && badge("bad", "silent", node.reported_at ? [" for ", ticking(Date.parse(node.reported_at))] : null),
    node.drain !== "serving" && badge("warn", drainText(node.drain)),
    h("span", { class: "small" }, ...amount(node.services, node.services === 1 ? "Service" : "Services"), node.version && ` · ${node.version}`));
}

/** Returns the stage of a drain in words. */
export function drainText(stage) {
  return { serving: "serving", marked: "draining: routes are marked", withdrawn: "draining: routes are withdrawn", drained: "drained" }[stage] ?? stage;
}

function cell(node, peer, at, hasPeers) {
  if (!peer) return h("span", { class: "small" }, h("span", { "aria-hidden": "true" }, "–"), h("span", { class: "visually-hidden" }, "no such peer"));
  if (node.silent) return h("div", { class: "cell" }, badge("wait", "not known"));
  const state = badge(sessionKind(peer), sessionText(peer));
  const uptime = peer.state_seconds === undefined ? null : counting(peer.state_seconds, at);
  return h("div", { class: `cell cell-${sessionKind(peer)}` },
    h("div", { class: "cell-state" }, hasPeers ? h("a", { href: href(["peer", node.name, peer.name]) }, state) : state, uptime && h("span", { class: "cell-time" }, uptime)),
    h("span", { class: "small" }, ...amount(peer.prefixes, peer.prefixes === 1 ? "prefix" : "prefixes"), peer.bfd && [" · BFD ", h("span", { class: peer.bfd === "Up" ? null : "bad-text" }, peer.bfd)]),
    peer.reason && peer.state !== "Established" && h("span", { class: "reason" }, peer.reason));
}

function watches(all) {
  const failed = all.filter((watch) => watch.error || !watch.synced);
  const summary = failed.length === 0 ? badge("ok", `all ${all.length} work`) : badge("bad", `${failed.length} of ${all.length} do not work`);
  const rows = all.map((watch) => ({
    key: watch.resource,
    cells: [watch.resource, watch.error ? badge("bad", watch.error) : watch.synced ? badge("ok", "works") : badge("wait", "listing"), count(watch.restarts)],
  }));
  return h("details", { open: failed.length > 0 }, h("summary", null, summary),
    table("Watches of the API server", [{ title: "Resource" }, { title: "State" }, { title: "Restarts", isNumber: true }], rows));
}

function latest() {
  const events = allEvents().slice(-LATEST).reverse();
  if (events.length === 0) return empty("No events yet.");
  return [eventList(events), h("p", { class: "more" }, link(["events"], null, "All events of the last hour"))];
}
