// The answers of the process: reads those that the view needs, again after each event, and knows whether the process answers.
//
// Reads `/v1` and nothing else.

import { now, setClock } from "./format.js";

/** The time between two readings if no event arrives, in milliseconds. */
const POLL = 5000;
/** The same while there is no stream of events. */
const POLL_WITHOUT_STREAM = 2000;
/** The time in which several events lead to one reading. */
const GATHER = 120;
/** The shortest time between two readings. */
const PAUSE = 300;
/** The time after which a request counts as failed. */
const REQUEST_TIMEOUT = 5000;
/** The pauses between attempts to open the stream of events. */
const BACKOFF = [500, 1000, 2000, 4000, 8000, 15000];
/** The most events that the page keeps. */
const MAX_EVENTS = 5000;

const STATUS = "v1/status";

/** Answers by path: `{ data }`, or `{ error, hint, status }` if the process refuses the request. */
const answers = new Map();
let events = [];
let missed = 0;
let started = null;

let watched = () => [];
let changed = () => {};
let timer = null;
let reading = false;
let again = false;
let lastReading = 0;

let stream = null;
let attempts = 0;
/** The time at which the process stopped to answer; null while it answers. */
let lostSince = null;
let everConnected = false;

/** Starts to read. `paths` returns what the view needs; `onChange` is called when there is something new. */
export function start(paths, onChange) {
  watched = paths;
  changed = onChange;
  openStream();
  refresh();
  // A browser has few connections to one host, so a page that is not seen keeps none of them.
  document.addEventListener("visibilitychange", () => (document.hidden ? closeStream() : resume()));
  window.addEventListener("pagehide", closeStream);
  window.addEventListener("pageshow", resume);
  window.addEventListener("online", () => refresh());
}

function resume() {
  if (!stream) openStream();
  refresh();
}

/** Returns the answer at a path, as far as it is known. */
export function answer(path) {
  return answers.get(path);
}

/** Returns the data at a path, or undefined. */
export function data(path) {
  return answers.get(path)?.data;
}

/** Returns the events that are kept, the oldest first. */
export function allEvents() {
  return events;
}

/** Returns the number of events that were lost. */
export function missedEvents() {
  return missed;
}

/** Returns whether the process answers. */
export function connection() {
  return { lostSince, everConnected, isStreaming: stream?.readyState === EventSource.OPEN };
}

/** Reads the answers of the view soon. */
export function refresh() {
  if (reading) {
    again = true;
    return;
  }
  const wait = Math.max(0, lastReading + PAUSE - Date.now());
  schedule(wait);
}

function schedule(wait) {
  clearTimeout(timer);
  timer = setTimeout(readAll, wait);
}

async function readAll() {
  reading = true;
  again = false;
  const begin = Date.now();
  const results = new Map();
  let paths = [STATUS, ...watched()];
  // An answer may tell what else to read, such as the next page.
  for (let round = 0; round < 12 && paths.length > 0; round += 1) {
    await Promise.all(paths.map(async (path) => results.set(path, await readOne(path))));
    keep(results);
    changed();
    paths = watched().filter((path) => !results.has(path));
  }

  const needed = new Set([STATUS, ...watched()]);
  for (const path of answers.keys()) {
    if (!needed.has(path) && answers.size > 40) answers.delete(path);
  }
  if (!isStreamOpen()) await readEvents();

  reading = false;
  // A process that answers slowly is asked less often.
  lastReading = Date.now() + Math.min(2 * (Date.now() - begin), 5000);
  changed();
  if (again) refresh();
  else if (!document.hidden) schedule(isStreamOpen() ? POLL : POLL_WITHOUT_STREAM);
}

/** Returns an answer, or null if the process did not give one. */
async function readOne(path) {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(REQUEST_TIMEOUT), cache: "no-store" });
    if (response.status >= 500) return null;
    const body = await response.json();
    if (response.ok) return { data: body, at: now() };
    return { error: body.error ?? `the process answered ${response.status}`, hint: body.hint, status: response.status, at: now() };
  } catch {
    return null;
  }
}

function keep(results) {
  for (const [path, result] of results) {
    if (result) answers.set(path, result);
  }

  const status = results.get(STATUS);
  if (!status) {
    lostSince ??= Date.now();
    return;
  }
  lostSince = null;
  everConnected = true;
  if (!status.data) return;
  setClock(status.data.time);
  if (started !== null && started !== status.data.started_at) restart();
  started = status.data.started_at;
}

/** Forgets the events of a process that is gone: the next one counts from 1 again. */
function restart() {
  events = [];
  missed = 0;
  closeStream();
  openStream();
}

function lastEvent() {
  return events.length === 0 ? null : events[events.length - 1].id;
}

function since() {
  const last = lastEvent();
  return last === null ? "v1/events" : `v1/events?since=${last}`;
}

function isStreamOpen() {
  return stream?.readyState === EventSource.OPEN;
}

function openStream() {
  const source = new EventSource(since());
  stream = source;
  source.addEventListener("open", () => {
    attempts = 0;
    refresh();
  });
  source.addEventListener("message", (message) => {
    addEvents([JSON.parse(message.data)]);
    if (reading) again = true;
    else schedule(Math.max(GATHER, lastReading + PAUSE - Date.now()));
  });
  source.addEventListener("missed", (message) => {
    missed += Number(message.data) || 0;
  });
  source.addEventListener("error", () => {
    if (stream !== source) return;
    closeStream();
    const pause = BACKOFF[Math.min(attempts, BACKOFF.length - 1)];
    attempts += 1;
    setTimeout(() => stream || document.hidden || openStream(), pause * (0.75 + Math.random() / 2));
    refresh();
  });
}

function closeStream() {
  stream?.close();
  stream = null;
}

/** Reads the events without a stream. */
async function readEvents() {
  const page = await readOne(since());
  if (!page?.data?.events) return;
  missed += page.data.missed ?? 0;
  addEvents(page.data.events);
}

function addEvents(added) {
  const last = lastEvent() ?? 0;
  events.push(...added.filter((event) => event.id > last));
  if (events.length > MAX_EVENTS) events = events.slice(-MAX_EVENTS);
}
