// Numbers, times and durations as text. The clock is that of the process, since the reader's may be wrong.

let offset = 0;

/** Sets the clock by the time of an answer. */
export function setClock(time) {
  const at = Date.parse(time);
  if (!Number.isNaN(at)) offset = at - Date.now();
}

/** Returns the time at the process, in milliseconds. */
export function now() {
  return Date.now() + offset;
}

/** Returns a duration such as `3 d 4 h`, `12 min` or `42 s`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days >= 10) return `${days} d`;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes >= 10) return `${minutes} min`;
  if (minutes > 0) return `${minutes} min ${whole % 60} s`;
  return `${whole} s`;
}

/** Returns the time of day at the reader, such as `14:03:22`. */
export function timeOfDay(at) {
  return new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

/** Returns a date with its time, in full. */
export function dateTime(at) {
  return new Date(at).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

/** Returns a whole number with separators. Takes decimal numbers as text, which may be larger than a JSON number holds. */
export function count(number) {
  const text = String(number);
  if (text.length > 15) return `about ${inWords(text)}`;
  return text.replace(/\B(?=(\d{3})+$)/g, " ");
}

function inWords(digits) {
  const exponent = String(digits.length - 1).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
  return `${digits[0]}.${digits[1]} × 10${exponent}`;
}

/** Returns `1 session` or `2 sessions`. */
export function plural(number, noun, many = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : many}`;
}

/** Returns the part of `total` in per mille, from decimal numbers of any length. */
export function perMille(part, total) {
  const whole = BigInt(total);
  return whole === 0n ? 0 : Number((BigInt(part) * 1000n) / whole);
}
