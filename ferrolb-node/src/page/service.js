// The path of one Service: for each node the gates between the Service and the routers, with the closed one marked.

import { h } from "./dom.js";
import { plural } from "./format.js";
import { badge, facts, inline, link, missing, path, problem, symbol } from "./parts.js";
import { answer } from "./store.js";

/** The most nodes whose gates are drawn. */
const MAX_NODES = 100;

export function title(parameters, [namespace, name]) {
  return `${namespace}/${name}`;
}

export function paths(parameters, [namespace, name]) {
  return [path(["services", namespace, name])];
}

export function render(parameters, parts) {
  const [namespace, name] = parts;
  const known = answer(paths(parameters, parts)[0]);
  const heading = h("h1", { tabindex: -1 }, h("span", { class: "of-node" }, `${namespace}/`), name);
  if (!known?.data) return [heading, missing(known, "the explanation")];
  const { announced, summary, addresses, pool, complaints, nodes } = known.data;
  const groups = alike(nodes);
  const shown = groups.slice(0, MAX_NODES);
  const firstFine = groups.find(isFine);
  return [
    heading,
    h("p", { class: "lead" }, badge(announced ? "ok" : "bad", summary)),
    facts([
      [addresses.length === 1 ? "Address" : "Addresses", addresses.length > 0 ? h("span", { class: "mono" }, inline(addresses)) : "none yet"],
      ["Pool", pool && link(["pool", pool], null, pool)],
    ]),
    complaints.map((text) => problem("warning", null, text)),
    h("div", { class: "paths" }, shown.map((group) => nodePath(group, !isFine(group) || group === firstFine))),
    groups.length > shown.length && h("p", { class: "more" }, `and ${plural(groups.length - shown.length, "node")} more`),
  ];
}

/**
 * Groups nodes with the same gates and outcomes, those with a closed gate first. What was found may contain the name of the node,
 * which makes no difference; the texts are those of the first node of a group.
 */
function alike(nodes) {
  const groups = new Map();
  for (const node of nodes) {
    const { node: name, ...rest } = node;
    const key = JSON.stringify(rest).replaceAll(name, "\0");
    if (groups.has(key)) groups.get(key).names.push(name);
    else groups.set(key, { names: [name], ...rest });
  }
  return [...groups.values()].sort((one, other) => Number(isFine(one)) - Number(isFine(other)));
}

/** Draws the path on nodes that are alike. Those on which all is well are folded, except the first. */
function nodePath(group, isUnfolded) {
  const { names, gates, peers } = group;
  const title = names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${plural(names.length - 3, "more node")}`;
  return h("section", { class: "path", "data-key": names[0] },
    h("details", { open: isUnfolded },
      h("summary", null, h("h2", null, title, " ", outcome(group))),
      h("div", { class: "rail" },
        h("p", { class: "rail-end rail-begin" }, "Service"),
        gateList(gates, `Gates of ${names[0]}`),
        peers.length > 0
          ? h("div", { class: "branches" }, peers.map((one) => branch(one, names[0])))
          : h("div", { class: "rail-end rail-shut" }, h("p", null, "No router gets a route")))));
}

function outcome({ announced, gates, peers }) {
  const closed = firstClosed(gates);
  if (closed) return badge("bad", `closed at ${closed.gate}`);
  const reached = peers.filter(isReached).length;
  if (announced && reached === peers.length) return badge("ok", `announced to ${plural(reached, "router")}`);
  if (announced) return badge("warn", `announced to ${reached} of ${plural(peers.length, "router")}`);
  const ofPeer = peers.map((one) => firstClosed(one.gates)).find(Boolean);
  return badge("bad", ofPeer ? `closed at ${ofPeer.gate}` : "not announced");
}

function isReached({ gates, routes }) {
  return routes.length > 0 && gates.every((gate) => gate.passed === true);
}

function isFine(group) {
  return group.announced && group.peers.every(isReached);
}

function branch(one, node) {
  const { peer, gates, routes } = one;
  const isOpen = isReached(one);
  return h("div", { class: "branch", "data-key": peer },
    gateList(gates, `Gates of ${node} towards ${peer}`),
    h("div", { class: `rail-end ${isOpen ? "rail-open" : "rail-shut"}` },
      h("p", null, symbol(isOpen ? "ok" : "off"), h("span", null, `Router ${peer}`)),
      routes.length > 0 ? h("ul", { class: "plain" }, routes.map((route) => h("li", null, h("code", null, route)))) : h("p", { class: "small" }, "gets no route")));
}

function firstClosed(gates) {
  return gates.find((gate) => gate.passed === false);
}

function gateList(gates, label) {
  return h("ol", { class: "gates", "aria-label": label }, gates.map((gate) => {
    const state = gate.passed === true ? "open" : gate.passed === false ? "closed" : "behind";
    return h("li", { class: `gate gate-${state}`, "data-key": gate.gate },
      symbol({ open: "ok", closed: "bad", behind: "off" }[state]),
      h("div", null,
        h("p", { class: "gate-line" },
          h("span", { class: "gate-name" }, gate.gate),
          h("span", { class: state === "open" ? "visually-hidden" : "gate-state" }, { open: "open", closed: "closed", behind: "not reached" }[state]),
          gate.found && h("span", { class: "gate-found" }, gate.found)),
        state === "closed" && gate.mend && h("p", { class: "hint" }, h("span", { class: "hint-mark" }, "Hint "), gate.mend)));
  }));
}
