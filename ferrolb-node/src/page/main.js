// The frame of the page: the header, the views and their addresses, keys, and what a screen reader is told.

import { h, update } from "./dom.js";
import { timeOfDay } from "./format.js";
import * as events from "./events.js";
import * as overview from "./overview.js";
import { peer, sessions } from "./peers.js";
import { pool, pools } from "./pools.js";
import * as routes from "./routes.js";
import * as service from "./service.js";
import * as services from "./services.js";
import { href, symbol, tick, ticking } from "./parts.js";
import { connection, data, refresh, start } from "./store.js";

/** The views by the first part of their address, with the number of further parts and the list that they belong to. */
const VIEWS = {
  "": { view: overview, parts: 0, nav: "" },
  sessions: { view: sessions, parts: 0, nav: "sessions" },
  peer: { view: peer, parts: 2, nav: "sessions" },
  routes: { view: routes, parts: 0, nav: "routes" },
  services: { view: services, parts: 0, nav: "services" },
  service: { view: service, parts: 2, nav: "services" },
  pools: { view: pools, parts: 0, nav: "pools" },
  pool: { view: pool, parts: 1, nav: "pools" },
  events: { view: events, parts: 0, nav: "events" },
};

const NAVIGATION = [["", "Overview"], ["sessions", "Sessions"], ["routes", "Routes"], ["services", "Services"], ["pools", "Pools"], ["events", "Timeline"]];
const FORMS = { routes, services };

/** The time without typing after which a filter takes effect, in milliseconds. */
const TYPING = 250;

const main = document.getElementById("main");
let current = parse(location.hash);
let announced = "";
let typing = null;

/** Returns the view of an address, or the overview for an unknown one. */
function parse(hash) {
  const [way, search] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...parts] = way.split("/").map(decode);
  const known = Object.hasOwn(VIEWS, name) ? VIEWS[name] : undefined;
  const isComplete = known && parts.length === known.parts && parts.every(Boolean);
  const { view, nav } = isComplete ? known : VIEWS[""];
  return { view, nav, parts: isComplete ? parts : [], parameters: new URLSearchParams(search ?? ""), isDetail: isComplete && known.parts > 0 };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function render() {
  const status = data("v1/status");
  const { view, parameters, parts } = current;
  update(main, fragment(view.render(parameters, parts)));
  update(document.getElementById("nav"), fragment(navigation(status)));
  update(document.getElementById("process"), fragment(processText(status)));
  update(document.getElementById("notices"), fragment(notices(status)));
  renderConnection();
  renderTitle(status);
  announce();
}

function fragment(content) {
  return h("div", null, content);
}

function navigation(status) {
  const isController = status?.program === "controller";
  const entries = NAVIGATION.filter(([name]) => !isController || (name !== "sessions" && name !== "routes"));
  return h("ul", null, entries.map(([name, text]) => h("li", { "data-key": name || "overview" },
    h("a", { href: href([name]), "aria-current": current.nav === name ? "page" : null }, text))));
}

function processText(status) {
  if (!status) return [];
  const role = status.program === "controller" ? (status.leader === true ? "controller, leads" : status.leader === false ? "controller, stands by" : "controller") : status.program;
  return [
    status.node && h("strong", null, status.node),
    h("span", null, role),
    h("span", null, status.version),
    h("span", { class: "process-up" }, "up ", ticking(Date.parse(status.started_at))),
    h("span", { class: "process-source" }, status.configuration.source),
  ];
}

function notices(status) {
  const { lostSince, everConnected } = connection();
  const drain = status?.drain;
  const draining = (data("v1/nodes")?.nodes ?? []).filter((node) => node.drain !== "serving" && node.name !== status?.node);
  return [
    lostSince !== null && h("div", { class: "notice notice-error", role: "alert" }, symbol("bad"),
      h("p", null, h("strong", null, `Not connected since ${timeOfDay(lostSince)}. `), everConnected ? "What you see is from before. The page tries again." : "The page tries again.")),
    drain && drain.stage !== "serving" && h("div", { class: "notice notice-warning" }, symbol("warn"),
      h("p", null, h("strong", null, overview.drainText(drain.stage)), drain.since && [" for ", ticking(Date.parse(drain.since))], drain.requested_by && `, requested by ${drain.requested_by}`)),
    draining.length > 0 && h("div", { class: "notice notice-warning" }, symbol("warn"),
      h("p", null, h("strong", null, draining.slice(0, 5).map((node) => `${node.name} ${overview.drainText(node.drain)}`).join("; ")), draining.length > 5 && ` and ${draining.length - 5} more`)),
    status?.configuration.state === "stale" && current.nav !== "" && h("div", { class: "notice notice-error" }, symbol("bad"),
      h("p", null, h("strong", null, "The latest configuration has errors. "), "An older one is in force.")),
  ];
}

function renderConnection() {
  const { lostSince, isStreaming, everConnected } = connection();
  const [kind, text] = lostSince !== null ? ["bad", "Not connected"] : !everConnected ? ["wait", "Connecting"] : isStreaming ? ["ok", "Live"] : ["wait", "Polling"];
  const target = document.getElementById("connection");
  target.className = `connection connection-${kind}`;
  update(target, fragment([symbol(kind), h("span", null, text)]));
  document.body.classList.toggle("is-lost", lostSince !== null);
}

function renderTitle(status) {
  const bad = overview.allProblems().length;
  const name = current.view.title(current.parameters, current.parts);
  const of = status?.node ?? status?.program;
  document.title = [bad > 0 ? `(${bad})` : null, name, of && `· ${of}`, "· FerroLB"].filter(Boolean).join(" ");
}

/** Tells a screen reader of problems when they change, and not at each reading. */
function announce() {
  const all = overview.allProblems();
  const text = all.length === 0 ? "No problems." : `${all.length} ${all.length === 1 ? "problem" : "problems"}: ${all.slice(0, 3).map((one) => one.subject).join(", ")}`;
  if (text === announced) return;
  // The first reading is no change.
  if (announced !== "") document.getElementById("announcer").textContent = text;
  announced = text;
}

/** Goes to another view. Focus moves to its heading, unless only its filter changed. */
function navigate() {
  if (location.hash !== "" && !location.hash.startsWith("#/")) return;
  const before = current;
  current = parse(location.hash);
  const isSame = before.view === current.view && before.parts.join("/") === current.parts.join("/");
  if (!isSame) main.replaceChildren();
  render();
  refresh();
  if (isSame) return;
  window.scrollTo(0, 0);
  main.querySelector("h1")?.focus({ preventScroll: true });
}

function submit(form) {
  const address = FORMS[form.dataset.form]?.submit(form);
  if (address !== undefined && address !== location.hash) location.hash = address;
}

window.addEventListener("hashchange", navigate);
main.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.target);
});
main.addEventListener("change", (event) => {
  if (event.target instanceof HTMLSelectElement) submit(event.target.form);
});
main.addEventListener("input", (event) => {
  if (event.target.dataset.live === undefined) return;
  const { form } = event.target;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = FORMS[form.dataset.form].submit(form);
    // Each letter is no step back.
    history.replaceState(null, "", address);
    navigate();
  }, TYPING);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  const { activeElement } = document;
  if (activeElement instanceof HTMLInputElement && activeElement.value !== "") {
    activeElement.value = "";
    submit(activeElement.form);
  } else if (current.isDetail) {
    location.hash = href([current.nav]);
  }
});

setInterval(() => {
  tick(document);
}, 1000);
render();
start(() => [...new Set(["v1/nodes", ...current.view.paths(current.parameters, current.parts)])], render);
