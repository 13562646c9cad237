// The list of Services.

import { h } from "./dom.js";
import { count } from "./format.js";
import { badge, empty, href, inline, link, missing, path, serviceLink, table } from "./parts.js";
import { toggle } from "./events.js";
import { answer, data } from "./store.js";

/** The most Services on a page. */
const LIMIT = 250;
/** The same while the page searches. */
const SEARCH_LIMIT = 1000;
/** The most pages that are read for one view. */
const MAX_PAGES = 10;

const STATES = {
  pending: ["warn", "Pending"],
  not_announced: ["bad", "Not announced"],
  announced: ["ok", "Announced"],
  assigned: ["ok", "Address assigned"],
};

export function title() {
  return "Services";
}

export function paths(parameters) {
  return pages(parameters);
}

/** Returns the paths of the page: more than one if the page searches, or if pages have no problem on them. */
function pages(parameters) {
  const isSearch = Boolean(text(parameters));
  const all = [];
  let from = parameters.get("from");
  while (all.length < MAX_PAGES) {
    const next = path(["services"], { problems: isProblems(parameters), from, limit: isSearch ? SEARCH_LIMIT : LIMIT });
    all.push(next);
    const page = data(next);
    from = page?.next;
    if (!from || (!isSearch && page.services.length > 0)) break;
  }
  return all;
}

function isProblems(parameters) {
  return parameters.get("problems") === "true";
}

function text(parameters) {
  return (parameters.get("text") ?? "").toLowerCase();
}

export function render(parameters) {
  const heading = h("h1", { tabindex: -1 }, "Services");
  const all = pages(parameters);
  const known = all.map((path) => answer(path));
  const first = known[0];
  const counts = data("v1/status")?.services;
  const query = { text: parameters.get("text") };
  return [
    heading,
    h("p", { class: "lead" }, "Services of type LoadBalancer", counts && `: ${count(counts.total)}, ${count(counts.pending)} without an address`, "."),
    h("form", { class: "filter", "data-form": "services", role: "search", "aria-label": "Filter of Services" },
      h("label", null, "Name, address or pool", h("input", { name: "text", type: "search", "data-live": true, value: parameters.get("text") ?? "", autocomplete: "off", spellcheck: "false", autocapitalize: "none" })),
      h("input", { type: "hidden", name: "problems", value: isProblems(parameters) ? "true" : "" }),
      h("div", { class: "switch", role: "group", "aria-label": "Which Services" },
        toggle(["services"], query, !isProblems(parameters), "All"),
        toggle(["services"], { ...query, problems: "true" }, isProblems(parameters), "Only problems"))),
    h("div", { id: "result" }, first?.data ? result(known, parameters) : missing(first, "the Services")),
  ];
}

/** Returns the address that the filter leads to. */
export function submit(form) {
  const values = new FormData(form);
  return href(["services"], { text: values.get("text").trim(), problems: values.get("problems") });
}

function result(known, parameters) {
  const wanted = text(parameters);
  const services = known.flatMap((one) => one?.data?.services ?? []).filter((one) => !wanted || matches(one, wanted));
  const shown = services.slice(0, LIMIT);
  const next = known.at(-1)?.data?.next;
  const query = { text: parameters.get("text"), problems: parameters.get("problems") };
  const rest = h("nav", { class: "pages", "aria-label": "Pages of Services" },
    services.length > shown.length && h("p", { class: "more" }, `and ${count(services.length - shown.length)} more`),
    wanted && next && h("p", { class: "more" }, `${count(MAX_PAGES * SEARCH_LIMIT)} Services were searched.`),
    parameters.get("from") && link(["services"], query, "First page"),
    next && link(["services"], { ...query, from: next }, wanted || services.length === 0 ? "Search further" : "Next page"));
  if (shown.length === 0) {
    return [empty(wanted ? "No Service matches the filter." : isProblems(parameters) ? "No Service has a problem." : "There are no Services of type LoadBalancer."), rest];
  }

  const columns = [{ title: "Service" }, { title: "State" }, { title: "Addresses" }, { title: "Pool" }, { title: "Nodes", isNumber: true }, { title: "Reason" }];
  const rows = shown.map((one) => ({
    key: `${one.namespace}/${one.name}`,
    cells: [
      serviceLink(`${one.namespace}/${one.name}`),
      state(one),
      h("span", { class: "mono" }, inline(one.addresses)),
      one.pool ? link(["pool", one.pool], null, one.pool) : "–",
      one.state === "assigned" ? "–" : `${one.announced_by} of ${one.nodes}`,
      one.problem ? [h("span", { class: one.problem.needs_action ? "reason" : "small" }, one.problem.reason), one.problem.needs_action && one.problem.hint && h("span", { class: "small" }, one.problem.hint)] : "–",
    ],
  }));
  return [table("Services of type LoadBalancer", columns, rows, { class: "services" }), rest];
}

function matches(service, wanted) {
  const values = [`${service.namespace}/${service.name}`, service.pool ?? "", ...service.addresses];
  return values.some((value) => value.toLowerCase().includes(wanted));
}

function state(service) {
  const [kind, words] = STATES[service.state] ?? ["info", service.state];
  return badge(kind, words);
}
