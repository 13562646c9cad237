// The timeline: the events of the last hour, and what they tell of each session.

import { h, svg } from "./dom.js";
import { duration, now, plural, timeOfDay } from "./format.js";
import { bar, empty, href, link, serviceLink, severityKind, symbol, time } from "./parts.js";
import { allEvents, data, missedEvents } from "./store.js";

/** The time that is shown, in milliseconds. */
export const SPAN = 3600_000;
/** The number of columns of the timeline, one for each minute. */
const COLUMNS = 60;
/** The most events in the list. */
const MAX_SHOWN = 500;
/** The time in which the first session comes up, in milliseconds. */
const START = 30_000;
/** The least width of a part that must be seen, in per mille. */
const LEAST = 6;
/** The most parts of the bar of one session. */
const MAX_PARTS = 400;

export function paths() {
  return [];
}

export function title() {
  return "Timeline";
}

export function render(parameters) {
  const begin = now() - SPAN;
  const recent = allEvents().filter((event) => Date.parse(event.time) >= begin);
  const only = parameters.get("only") === "problems";
  const wanted = only ? recent.filter((event) => event.severity !== "info") : recent;
  const shown = wanted.slice(-MAX_SHOWN).reverse();
  const missed = missedEvents();
  return [
    h("h1", { tabindex: -1 }, "Timeline of the last hour"),
    columns(recent),
    h("p", { class: "switch", role: "group", "aria-label": "Which events" },
      toggle(["events"], null, !only, `All (${recent.length})`),
      toggle(["events"], { only: "problems" }, only, `Warnings and errors (${recent.filter((event) => event.severity !== "info").length})`)),
    missed > 0 && h("p", { class: "more" }, `${plural(missed, "event")} before these are no longer kept.`),
    shown.length === 0 ? empty(only ? "Nothing went wrong in the last hour." : "Nothing happened in the last hour.") : eventList(shown),
    wanted.length > shown.length && h("p", { class: "more" }, `and ${plural(wanted.length - shown.length, "older event")}`),
  ];
}

/** Returns a link that looks like a switch. */
export function toggle(parts, query, isOn, text) {
  return h("a", { href: href(parts, query), "aria-current": isOn ? "true" : null }, text);
}

/** Returns events as a list, in the given order. */
export function eventList(events) {
  return h("ol", { class: "events" }, events.map((event) => h("li", { "data-key": event.id, class: `event event-${event.severity}` },
    time(event.time),
    symbol(kindOf(event)),
    h("div", null,
      event.severity !== "info" && h("span", { class: "visually-hidden" }, `${event.severity}: `),
      h("span", { class: "event-text" }, event.text),
      h("span", { class: "event-about" }, about(event))))));
}

function kindOf(event) {
  if (event.kind === "session_up" || event.kind === "announced") return "ok";
  return severityKind(event.severity);
}

function about(event) {
  const of = [];
  if (event.prefix && !event.text.includes(event.prefix)) of.push(h("span", { class: "mono" }, event.prefix));
  if (event.peer) of.push(event.node ? link(["peer", event.node, event.peer], null, `${event.node} · ${event.peer}`) : event.peer);
  else if (event.node) of.push(event.node);
  if (event.service) of.push(serviceLink(event.service));
  return of.map((one) => h("span", { class: "event-of" }, one));
}

/** Draws the number of events in each minute. */
function columns(events) {
  const end = now();
  const counts = Array.from({ length: COLUMNS }, () => ({ info: 0, warning: 0, error: 0 }));
  for (const event of events) {
    const nth = Math.floor(((Date.parse(event.time) - (end - SPAN)) / SPAN) * COLUMNS);
    const column = counts[Math.min(COLUMNS - 1, Math.max(0, nth))];
    column[event.severity] = (column[event.severity] ?? 0) + 1;
  }
  const highest = Math.max(4, ...counts.map((one) => one.info + one.warning + one.error));
  const bars = counts.flatMap((one, nth) => {
    let top = 100;
    return ["info", "warning", "error"].filter((severity) => one[severity] > 0).map((severity) => {
      const height = Math.max(4, (one[severity] / highest) * 96);
      top -= height;
      return svg("rect", { x: nth * 10 + 1.5, y: Math.max(0, top), width: 7, height, class: `column-${severity}` });
    });
  });
  const total = (severity) => counts.reduce((sum, one) => sum + one[severity], 0);
  const label = `${plural(events.length, "event")} in the last hour: ${plural(total("error"), "error")}, ${plural(total("warning"), "warning")}`;
  return h("figure", { class: "timeline" },
    svg("svg", { role: "img", "aria-label": label, viewBox: "0 0 600 100", preserveAspectRatio: "none" }, svg("title", null, label), bars),
    axis(end));
}

/** Returns the times under a drawing of the last hour. */
export function axis(end) {
  const times = [60, 45, 30, 15, 0].map((minutes) => h("span", null, minutes === 0 ? "now" : timeOfDay(end - minutes * 60_000).slice(0, 5)));
  return h("div", { class: "axis", "aria-hidden": "true" }, times);
}

/**
 * Returns the states of a session in the last hour as `{ from, to, isUp }`, in milliseconds. Nothing is known of the time before
 * the process started.
 */
export function history(node, name, isUp, stateSeconds, at) {
  const begin = Math.max(at - SPAN, Date.parse(data("v1/status")?.started_at ?? 0));
  const changes = allEvents()
    .filter((event) => event.peer === name && (event.node === undefined || event.node === node) && (event.kind === "session_up" || event.kind === "session_down"))
    .map((event) => ({ at: Date.parse(event.time), isUp: event.kind === "session_up" }));

  const parts = [];
  let from = null;
  let state = null;
  for (const change of changes) {
    // Before a session comes up it was down, and the other way round.
    const before = state ?? !change.isUp;
    const start = from ?? begin;
    // Each session needs a moment to come up after a start, which is no loss.
    const isStart = state === null && change.isUp && change.at - begin < START;
    if (change.at > begin && !isStart) parts.push({ from: Math.max(begin, start), to: change.at, isUp: before });
    from = change.at;
    state = change.isUp;
  }

  // Without an event, the state is known for as long as the peer has been in it.
  const entered = from ?? (stateSeconds === undefined ? at : at - stateSeconds * 1000);
  parts.push({ from: Math.max(begin, entered), to: at, isUp });
  return parts.slice(-MAX_PARTS);
}

/** Draws the states of a session in the last hour. */
export function historyBar(parts, at) {
  const begin = at - SPAN;
  const length = (some) => some.reduce((sum, part) => sum + part.to - part.from, 0) / 1000;
  const ups = parts.filter((part) => part.isUp);
  const downs = parts.filter((part) => !part.isUp);
  const label = `up for ${duration(length(ups))} of the last ${duration(length(parts))}, ${downs.length === 1 ? "down once" : `down ${downs.length} times`}`;
  const scale = (time) => ((time - begin) / SPAN) * 1000;
  // A short loss must be seen, and so must the state of now.
  const part = ({ from, to, isUp }, least) => ({ from: Math.round(Math.min(scale(from), scale(to) - least)), to: Math.round(scale(to)), class: isUp ? "bar-up" : "bar-down" });
  return bar(label, [
    ...ups.map((one) => part(one, 0)),
    ...downs.map((one) => part(one, LEAST)),
    ...parts.slice(-1).map((one) => part(one, LEAST)),
  ], { class: "history" });
}
