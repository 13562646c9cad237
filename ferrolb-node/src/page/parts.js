// The parts that several views use: symbols, states, tables, bars and links.

import { h, svg } from "./dom.js";
import { count, dateTime, duration, now, timeOfDay } from "./format.js";

/** The drawings of the symbols. Each state has a shape of its own, so that colour is never the only difference. */
const SHAPES = {
  ok: [["circle", { cx: 8, cy: 8, r: 7, class: "fill" }], ["path", { d: "M4.8 8.3l2.2 2.2 4.3-4.6", class: "cut" }]],
  bad: [["path", { d: "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z", class: "fill" }], ["path", { d: "M5.5 5.5l5 5m0-5l-5 5", class: "cut" }]],
  warn: [["path", { d: "M8 1.2l7.2 13.3H.8z", class: "fill" }], ["path", { d: "M8 6v4m0 1.9v.2", class: "cut" }]],
  wait: [["circle", { cx: 8, cy: 8, r: 6.2, class: "line" }], ["path", { d: "M8 4.6V8l2.4 1.6", class: "line" }]],
  off: [["circle", { cx: 8, cy: 8, r: 6.2, class: "line" }], ["path", { d: "M5 8h6", class: "line" }]],
  info: [["circle", { cx: 8, cy: 8, r: 2.6, class: "fill" }]],
};

/** Returns a symbol. The text beside it says the same. */
export function symbol(kind) {
  const shapes = SHAPES[kind].map(([tag, attributes]) => svg(tag, attributes));
  return svg("svg", { class: `symbol symbol-${kind}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, shapes);
}

/** Returns a symbol with its text. */
export function badge(kind, ...text) {
  return h("span", { class: `badge badge-${kind}` }, symbol(kind), h("span", null, ...text));
}

/** Returns the symbol for the severity of a problem or an event. */
export function severityKind(severity) {
  return { error: "bad", warning: "warn" }[severity] ?? "info";
}

/** Returns the symbol for a session. */
export function sessionKind(peer) {
  if (peer.disabled) return "off";
  return peer.state === "Established" ? "ok" : "bad";
}

/** Returns the state of a session in words. */
export function sessionText(peer) {
  return peer.disabled ? "Disabled" : peer.state;
}

/** Returns a duration that counts up by itself, since `seconds` before the answer of the time `at`. */
export function counting(seconds, at) {
  if (seconds === null || seconds === undefined) return null;
  return ticking(at - seconds * 1000);
}

/** Returns the time since `begin`, which counts up by itself. */
export function ticking(begin) {
  return h("span", { class: "number", "data-since": Math.round(begin) }, duration((now() - begin) / 1000));
}

/** Brings the durations that count up by themselves up to date. */
export function tick(root) {
  for (const element of root.querySelectorAll("[data-since]")) {
    const text = duration((now() - Number(element.dataset.since)) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Returns a time of day, with the date in full as its title. */
export function time(at) {
  return h("time", { datetime: new Date(at).toISOString(), title: dateTime(at), class: "number" }, timeOfDay(at));
}

/**
 * Returns a table. Each column is `{ title, isNumber }`; each row is `{ key, cells }`, and its first cell is its header. On a
 * narrow screen each row becomes a card, which is why the roles are explicit.
 */
export function table(caption, columns, rows, options = {}) {
  const titles = columns.map((column) => h("th", { role: "columnheader", scope: "col", class: column.isNumber && "end" }, column.title));
  const body = rows.map(({ key, cells }) => h("tr", { role: "row", "data-key": key }, cells.map((cell, nth) => {
    const attributes = { "data-title": columns[nth].title, class: columns[nth].isNumber && "end" };
    if (nth === 0) return h("th", { role: "rowheader", scope: "row", ...attributes }, cell);
    return h("td", { role: "cell", ...attributes }, h("div", null, cell));
  })));
  return h("table", { role: "table", class: options.class },
    h("caption", { class: options.isCaptionShown ? null : "visually-hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, titles)),
    h("tbody", { role: "rowgroup" }, body));
}

/** Returns a bar of parts, each `{ from, to, class }` in per mille, with a text for readers who do not see it. */
export function bar(label, parts, options = {}) {
  return svg("svg", { class: `bar ${options.class ?? ""}`, role: "img", "aria-label": label, viewBox: "0 0 1000 10", preserveAspectRatio: "none" },
    svg("title", null, label),
    svg("rect", { x: 0, y: 0, width: 1000, height: 10, class: "bar-rest" }),
    parts.map(({ from, to, class: name }) => svg("rect", { x: from, y: 0, width: Math.max(0, to - from), height: 10, class: name })));
}

/** Returns a list of terms and values. Values that are not known are left out. */
export function facts(pairs, options = {}) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "");
  return h("dl", { class: `facts ${options.class ?? ""}` }, known.map(([term, value]) => h("div", null, h("dt", null, term), h("dd", null, value))));
}

/** Returns a section with its heading. */
export function section(title, ...content) {
  return h("section", null, h("h2", null, title), ...content);
}

/** Returns a problem or an error, with its hint. */
export function problem(severity, subject, text, hint) {
  return h("div", { class: `problem problem-${severity}` },
    symbol(severityKind(severity)),
    h("div", null,
      h("p", null, h("span", { class: "visually-hidden" }, `${severity}: `), subject && [h("strong", null, subject), " "], text),
      hint && h("p", { class: "hint" }, h("span", { class: "hint-mark" }, "Hint "), hint)));
}

/** Returns what to show in place of an answer that is missing. */
export function missing(answer, what) {
  if (!answer) return h("p", { class: "loading" }, `Reading ${what} …`);
  return h("div", { role: "alert" }, problem("error", null, answer.error, answer.hint));
}

/** Returns a text for an empty list. */
export function empty(...text) {
  return h("p", { class: "empty" }, ...text);
}

/** Returns a link to a view. `query` has the parameters. */
export function link(parts, query, ...text) {
  return h("a", { href: href(parts, query) }, ...text);
}

/** Returns the address of a view. */
export function href(parts, query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value);
  const search = new URLSearchParams(given).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

/** Returns a link to a Service. */
export function serviceLink(name) {
  const [namespace, ...rest] = name.split("/");
  return link(["service", namespace, rest.join("/")], null, name);
}

/** Returns values as a list in one line. */
export function inline(values, none = "–") {
  return values.length === 0 ? none : h("ul", { class: "inline" }, values.map((value) => h("li", null, value)));
}

/** Returns the path of an answer with its query. */
export function path(parts, query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  const search = new URLSearchParams(given).toString();
  return `v1/${parts.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

/** Returns a number with its unit, small. */
export function amount(number, noun) {
  return [h("span", { class: "number" }, count(number)), ` ${noun}`];
}
