// The address pools as bars with numbers, and the addresses of one pool with the Services that hold them.

import { h } from "./dom.js";
import { count, perMille, plural } from "./format.js";
import { badge, bar, empty, inline, link, missing, path, serviceLink, table } from "./parts.js";
import { answer } from "./store.js";

const POOLS = "v1/pools";
/** The part in use, in per mille, from which a pool counts as nearly full. */
const NEARLY_FULL = 900;

export const pools = {
  paths: () => [POOLS],
  title: () => "Pools",
  render: renderPools,
};

export const pool = {
  paths: (parameters, [name]) => [poolPath(parameters, name)],
  title: (parameters, [name]) => `Pool ${name}`,
  render: renderPool,
};

function poolPath(parameters, name) {
  return path(["pools", name], { from: parameters.get("from") });
}

function renderPools() {
  const known = answer(POOLS);
  const heading = h("h1", { tabindex: -1 }, "Pools");
  if (!known?.data) return [heading, missing(known, "the pools")];
  const { pools: all, pending } = known.data;
  return [
    heading,
    pending > 0 && h("p", { class: "lead" }, badge("warn", plural(pending, "Service"), pending === 1 ? " has no address yet." : " have no address yet."), " ", link(["services"], { problems: "true" }, "Which, and why")),
    all.length === 0 ? empty("The configuration has no pool.") : h("ul", { class: "pools" }, all.map((one) => h("li", { "data-key": one.name, class: "pool" },
      h("h2", null, link(["pool", one.name], null, one.name)),
      h("p", { class: "small" }, ranges(one), !one.auto_assign && " · only on request"),
      usages(one),
      h("p", { class: "small" }, plural(one.services, "Service"))))),
  ];
}

function ranges({ addresses }) {
  const shown = addresses.slice(0, 4).join(", ");
  return addresses.length > 4 ? `${shown} and ${addresses.length - 4} more` : shown;
}

function usages({ ipv4, ipv6 }) {
  return [usage("IPv4", ipv4), usage("IPv6", ipv6)];
}

function usage(family, { total, in_use: inUse, free }) {
  if (total === "0") return null;
  const part = perMille(inUse, total);
  // Even one address must be seen.
  const width = inUse > 0 ? Math.max(part, 6) : 0;
  const kind = free === "0" ? "bar-full" : part >= NEARLY_FULL ? "bar-nearly" : "bar-used";
  const words = free === "0" ? "none free" : `${count(free)} free`;
  return h("div", { class: "usage" },
    h("span", { class: "usage-family" }, family),
    bar(`${family}: ${count(inUse)} of ${count(total)} addresses in use, ${words}`, [{ from: 0, to: width, class: kind }]),
    h("span", { class: "usage-numbers" }, h("span", { class: "number" }, count(inUse)), ` of ${count(total)} in use, `, free === "0" ? badge("bad", "none free") : words));
}

function renderPool(parameters, [name]) {
  const known = answer(poolPath(parameters, name));
  const heading = h("h1", { tabindex: -1 }, h("span", { class: "of-node" }, "Pool "), name);
  if (!known?.data) return [heading, missing(known, "the pool")];
  const one = known.data;
  const holders = one.holders ?? [];
  const rows = holders.map((holder) => ({
    key: holder.address,
    cells: [h("span", { class: "prefix" }, holder.address), inline(holder.services.map(serviceLink)), holder.sharing_key ?? "–"],
  }));
  return [
    heading,
    h("p", { class: "lead" }, one.addresses.join(", "), !one.auto_assign && " · only on request"),
    usages(one),
    holders.length === 0 ? empty("No address is in use.") : table("Addresses in use", [{ title: "Address" }, { title: "Services" }, { title: "Shared by key" }], rows, { isCaptionShown: true }),
    h("nav", { class: "pages", "aria-label": "Pages of addresses" },
      parameters.get("from") && link(["pool", name], null, "First page"),
      one.next && link(["pool", name], { from: one.next }, "Next page")),
  ];
}
