// The routes of one peer's Adj-RIB-Out, with filters and pages.

import { h } from "./dom.js";
import { counting, badge, empty, href, inline, link, missing, path, serviceLink, table } from "./parts.js";
import { answer, data } from "./store.js";

const PEERS = "v1/peers";
/** The most routes on a page. */
const LIMIT = 100;
/** The most pages without a match that are passed over at a time. */
const MAX_PASSED = 10;

const STATES = { sent: "ok", pending: "wait", withdrawing: "wait", other_path: "info", unsendable: "bad", no_session: "off" };

export function title() {
  return "Routes";
}

export function paths(parameters) {
  return [PEERS, ...pages(parameters)];
}

/** Returns the peer of the filter, or the first. */
function chosen(parameters) {
  const peers = data(PEERS)?.peers ?? [];
  const [node, name] = [parameters.get("node"), parameters.get("peer")];
  return peers.find((one) => one.name === name && (!node || one.node === node)) ?? (name ? { node, name } : peers[0]);
}

/** Returns the paths from the start of the page to the first answer with routes. */
function pages(parameters) {
  const peer = chosen(parameters);
  if (!peer) return [];
  const all = [];
  let from = parameters.get("from");
  while (all.length < MAX_PASSED) {
    const next = path(["peers", peer.name, "routes"], { node: peer.node, prefix: parameters.get("prefix"), service: parameters.get("service"), from, limit: LIMIT });
    all.push(next);
    const page = data(next);
    if (!page || page.routes.length > 0 || !page.next) break;
    from = page.next;
  }
  return all;
}

export function render(parameters) {
  const heading = h("h1", { tabindex: -1 }, "Routes");
  const peers = data(PEERS)?.peers;
  if (!peers) return [heading, missing(answer(PEERS), "the sessions")];
  if (peers.length === 0) return [heading, empty("This process has no sessions, so that it announces no routes.")];
  const path = pages(parameters).at(-1);
  return [
    heading,
    h("p", { class: "lead" }, "What the router has been told: the Adj-RIB-Out of its session."),
    filter(parameters, peers),
    h("div", { id: "result" }, result(answer(path), parameters)),
  ];
}

function filter(parameters, peers) {
  const peer = chosen(parameters);
  const several = new Set(peers.map((one) => one.node)).size > 1;
  const options = peers.map((one) => {
    const isChosen = one.name === peer.name && one.node === peer.node;
    return h("option", { value: JSON.stringify([one.node, one.name]), selected: isChosen }, several ? `${one.node} → ${one.name}` : one.name);
  });
  return h("form", { class: "filter", "data-form": "routes", role: "search", "aria-label": "Filter of routes" },
    h("label", null, "Session", h("select", { name: "session" }, options)),
    h("label", null, "Prefix or address", h("input", { name: "prefix", type: "text", value: parameters.get("prefix") ?? "", autocomplete: "off", spellcheck: "false", autocapitalize: "none", placeholder: "172.22.35.0/24" })),
    h("label", null, "Service", h("input", { name: "service", type: "text", value: parameters.get("service") ?? "", autocomplete: "off", spellcheck: "false", autocapitalize: "none", placeholder: "namespace/name" })),
    h("button", { type: "submit" }, "Filter"),
    hasFilter(parameters) && link(["routes"], { node: peer.node, peer: peer.name }, "Show all"));
}

function hasFilter(parameters) {
  return parameters.get("prefix") || parameters.get("service");
}

/** Returns the address that the filter leads to. */
export function submit(form) {
  const values = new FormData(form);
  const [node, peer] = JSON.parse(values.get("session"));
  return href(["routes"], { node, peer, prefix: values.get("prefix").trim(), service: values.get("service").trim() });
}

function result(known, parameters) {
  if (!known?.data) return missing(known, "the routes");
  const { routes, next, node, peer } = known.data;
  const query = { node, peer, prefix: parameters.get("prefix"), service: parameters.get("service") };
  const links = h("nav", { class: "pages", "aria-label": "Pages of routes" },
    parameters.get("from") && link(["routes"], query, "First page"),
    next && link(["routes"], { ...query, from: next }, routes.length === 0 ? "Search further" : "Next page"));
  if (routes.length === 0) return [empty(hasFilter(parameters) ? "No route matches the filter." : "No routes are announced to this router."), links];

  const columns = [{ title: "Prefix" }, { title: "State" }, { title: "Next hop" }, { title: "AS path" }, { title: "Attributes" }, { title: "Services" }];
  const rows = routes.map((route) => ({
    key: `${route.prefix} ${route.path_id}`,
    cells: [
      [h("span", { class: "prefix" }, route.prefix), route.path_id !== 0 && h("span", { class: "small" }, `path ${route.path_id}`)],
      [badge(STATES[route.state] ?? "info", route.state_text), route.age_seconds !== undefined && h("span", { class: "small" }, counting(route.age_seconds, known.at))],
      h("span", { class: "mono" }, route.next_hop ?? "–"),
      h("span", { class: "mono" }, route.as_path || "empty"),
      inline(attributes(route)),
      services(route),
    ],
  }));
  return [table(`Routes for ${peer}`, columns, rows, { class: "routes" }), links];
}

function attributes(route) {
  return [
    `origin ${route.origin}`,
    route.local_pref !== undefined && `local preference ${route.local_pref}`,
    route.med !== undefined && `MED ${route.med}`,
    ...route.communities.map((one) => `community ${one}`),
    ...route.large_communities.map((one) => `large community ${one}`),
    ...route.extended_communities.map((one) => `extended community ${one}`),
    ...route.other_attributes,
  ].filter(Boolean);
}

function services(route) {
  return [
    inline(route.services.map(serviceLink)),
    route.members.length > 0 && h("details", null, h("summary", null, `aggregate of ${route.members.length}`), inline(route.members)),
  ];
}
