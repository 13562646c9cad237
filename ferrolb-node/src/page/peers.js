// The sessions with their history, and the details of one peer.

import { h } from "./dom.js";
import { count, duration, now, plural } from "./format.js";
import { axis, eventList, history, historyBar } from "./events.js";
import { badge, counting, empty, facts, inline, link, missing, path, problem, section, sessionKind, sessionText, table, time } from "./parts.js";
import { allEvents, answer } from "./store.js";

const PEERS = "v1/peers";

export const sessions = {
  paths: () => [PEERS],
  title: () => "Sessions",
  render: renderSessions,
};

export const peer = {
  paths: (parameters, [node, name]) => [detailPath(node, name)],
  title: (parameters, [node, name]) => `${name} at ${node}`,
  render: renderPeer,
};

function detailPath(node, name) {
  return path(["peers", name], { node });
}

function renderSessions() {
  const known = answer(PEERS);
  const heading = h("h1", { tabindex: -1 }, "Sessions");
  if (!known?.data) return [heading, missing(known, "the sessions")];
  const peers = known.data.peers;
  if (peers.length === 0) return [heading, empty("This process has no sessions.")];

  const several = new Set(peers.map((one) => one.node)).size > 1;
  const columns = [{ title: "Router" }, ...several ? [{ title: "Node" }] : [], { title: "State" }, { title: "Last hour" }, { title: "Prefixes", isNumber: true }, { title: "Flaps", isNumber: true }, { title: "Last error" }];
  const at = now();
  const rows = peers.map((one) => ({
    key: `${one.node} ${one.name}`,
    cells: [
      [link(["peer", one.node, one.name], null, one.name), h("span", { class: "small" }, inline([one.endpoint !== one.name && one.endpoint, one.asn !== undefined && `AS ${one.asn}`].filter(Boolean), ""))],
      ...several ? [one.node] : [],
      [badge(sessionKind(one), sessionText(one)), h("span", { class: "small" }, counting(one.state_seconds, known.at), one.bfd && [" · BFD ", one.bfd.state])],
      [historyBar(history(one.node, one.name, one.state === "Established", one.state_seconds, at), at), axis(at)],
      prefixes(one.prefixes),
      count(one.flaps),
      one.last_error ? [h("span", { class: "reason" }, one.last_error.text), one.last_error.at && h("span", { class: "small" }, time(one.last_error.at))] : "–",
    ],
  }));
  return [heading, table("The sessions of this process", columns, rows, { class: "sessions" })];
}

function prefixes({ planned, sent, unsendable }) {
  const all = sent === planned ? count(sent) : `${count(sent)} of ${count(planned)}`;
  return unsendable > 0 ? [all, h("span", { class: "small bad-text" }, `${count(unsendable)} cannot be sent`)] : all;
}

function renderPeer(parameters, [node, name]) {
  const known = answer(detailPath(node, name));
  const heading = h("h1", { tabindex: -1 }, h("span", null, name), h("span", { class: "of-node" }, ` at ${node}`));
  if (!known?.data) return [heading, missing(known, "the peer")];
  const one = known.data;
  const detail = one.detail;
  const at = now();
  const parts = history(one.node, one.name, one.state === "Established", one.state_seconds, at);
  const events = allEvents().filter((event) => event.peer === one.name && (event.node === undefined || event.node === one.node)).slice(-20).reverse();
  return [
    heading,
    h("p", { class: "lead" }, badge(sessionKind(one), sessionText(one)), " for ", counting(one.state_seconds, known.at) ?? "an unknown time",
      " · ", link(["routes"], { node: one.node, peer: one.name }, plural(one.prefixes.sent, "prefix", "prefixes"))),
    detail?.disabled_message && problem("warning", "disabled by an operator:", detail.disabled_message),
    one.state !== "Established" && one.last_error && problem("error", null, one.last_error.text, one.last_error.hint),
    h("figure", { class: "peer-history" }, historyBar(parts, at), axis(at)),
    facts([
      ["Endpoint", one.endpoint !== one.name && one.endpoint],
      ["AS of the router", one.asn],
      ["Our AS", one.local_asn],
      ["Address families", one.families.length > 0 ? one.families.join(", ") : null],
      ["Prefixes", prefixes(one.prefixes)],
      ["Routes received", count(one.received)],
      ["Flaps", count(one.flaps)],
      ["Password", detail ? (detail.has_password ? "yes" : "no") : null],
      ["Last error", one.state === "Established" && one.last_error ? [one.last_error.text, one.last_error.at && [", ", time(one.last_error.at)]] : null],
    ]),
    one.bfd && bfd(one.bfd, known.at),
    detail && details(detail),
    section("Events", events.length > 0 ? eventList(events) : empty("No event of this session is kept.")),
  ];
}

function bfd(session, at) {
  return section("BFD",
    h("p", { class: "lead" }, badge(session.state === "Up" ? "ok" : "bad", session.state), session.state_seconds !== undefined && [" for ", counting(session.state_seconds, at)]),
    session.reason && problem("error", null, session.reason),
    facts([
      ["The router's state", session.remote_state],
      ["Our diagnostic", session.diagnostic],
      ["The router's diagnostic", session.remote_diagnostic],
      ["Detection time", `${count(session.detection_time_ms)} ms`],
      ["Intervals", `${session.transmit_interval_ms} ms sent, ${session.receive_interval_ms} ms received`],
      ["Multipliers", `${session.multiplier}, the router's ${session.remote_multiplier}`],
      ["Packets", `${count(session.packets_sent)} sent, ${count(session.packets_received)} received, ${count(session.packets_discarded)} discarded`],
      ["Lost", count(session.failures)],
    ]));
}

function details(detail) {
  const { negotiated, endpoints, timers, messages } = detail;
  return [
    negotiated && section("Agreed", facts([
      ["Session", negotiated.internal ? "internal (iBGP)" : "external (eBGP)"],
      ["Hold time", negotiated.hold_time_seconds === 0 ? "none" : duration(negotiated.hold_time_seconds)],
      ["Keepalive time", negotiated.keepalive_time_seconds === 0 ? "none" : duration(negotiated.keepalive_time_seconds)],
      ["Send hold time", negotiated.send_hold_time_seconds === 0 ? "none" : duration(negotiated.send_hold_time_seconds)],
      ["Our BGP Identifier", negotiated.local_identifier],
      ["The router's BGP Identifier", negotiated.remote_identifier],
      ["Capabilities of both", inline(negotiated.capabilities)],
      ["TCP", endpoints && `${endpoints.local} ${endpoints.outgoing ? "→" : "←"} ${endpoints.remote}`],
    ])),
    timers.length > 0 && section("Timers", facts(timers.map((timer) => [timer.name, `${duration(timer.left_seconds)} left`]))),
    notifications(detail),
    section("Messages", messageTable(messages)),
    (detail.open_sent || detail.open_received) && h("details", null, h("summary", null, "The last OPEN messages"),
      h("div", { class: "columns" }, open("Sent", detail.open_sent), open("Received", detail.open_received))),
  ];
}

function notifications({ notification_sent: sent, notification_received: received }) {
  if (!sent && !received) return null;
  const one = (title, message) => message && [title, [`${message.text} (${message.code}/${message.subcode}), `, time(message.at), message.message && h("q", { class: "shutdown" }, message.message)]];
  return section("NOTIFICATIONs", facts([one("Last received", received), one("Last sent", sent)].filter(Boolean)));
}

function messageTable({ received, sent, octets_received: octetsReceived, octets_sent: octetsSent }) {
  const kinds = [["OPEN", "open"], ["UPDATE", "update"], ["KEEPALIVE", "keepalive"], ["NOTIFICATION", "notification"], ["ROUTE-REFRESH", "route_refresh"]];
  const rows = kinds.map(([title, key]) => ({ key, cells: [title, count(sent[key]), count(received[key])] }));
  rows.push({ key: "octets", cells: ["octets", count(octetsSent), count(octetsReceived)] });
  return table("Messages of all sessions with this router", [{ title: "Message" }, { title: "Sent", isNumber: true }, { title: "Received", isNumber: true }], rows, { class: "narrow" });
}

function open(title, message) {
  if (!message) return null;
  return h("div", null, h("h3", null, title, " at ", time(message.at)),
    facts([["AS", message.asn], ["BGP Identifier", message.identifier], ["Hold time", `${message.hold_time_seconds} s`]]),
    h("ul", { class: "capabilities" }, message.capabilities.map((one) => h("li", null, one.text, !one.shared && h("span", { class: "small" }, "only this side")))));
}

