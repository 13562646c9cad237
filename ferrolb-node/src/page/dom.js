// Builds elements, and brings the page in line with them. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Returns an HTML element. Attributes and children that are null, undefined or false are left out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Returns an SVG element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child);
  }
}

/**
 * Changes the children of `target` to those of `source`, and keeps the elements that are in both: focus, the scroll position and
 * what a reader has unfolded stay. `data-key` names the elements of a list.
 */
export function update(target, source) {
  const keyed = new Map();
  for (const child of target.children) {
    if (child.dataset.key) keyed.set(child.dataset.key, child);
  }

  let next = target.firstChild;
  for (const wanted of Array.from(source.childNodes)) {
    const key = keyOf(wanted);
    const found = key ? keyed.get(key) : next && !keyOf(next) ? next : null;
    if (!found || !isSameKind(found, wanted)) {
      target.insertBefore(wanted, next);
      continue;
    }
    if (found === next) next = next.nextSibling;
    else target.insertBefore(found, next);
    updateNode(found, wanted);
  }

  while (next) {
    const after = next.nextSibling;
    next.remove();
    next = after;
  }
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined;
}

function isSameKind(node, wanted) {
  return node.nodeType === wanted.nodeType && node.nodeName === wanted.nodeName;
}

function updateNode(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }

  for (const { name } of Array.from(node.attributes)) {
    if (!wanted.hasAttribute(name) && !isOfReader(node, name)) node.removeAttribute(name);
  }
  for (const { name, value } of Array.from(wanted.attributes)) {
    if (node.getAttribute(name) !== value && !isOfReader(node, name)) node.setAttribute(name, value);
  }
  update(node, wanted);

  if (node === document.activeElement) return;
  if (node instanceof HTMLSelectElement || node instanceof HTMLInputElement) {
    if (node.type === "checkbox") node.checked = wanted.checked;
    else if (node.value !== wanted.value) node.value = wanted.value;
  }
}

/** Returns true for what the reader of the page sets, such as an unfolded part. */
function isOfReader(node, name) {
  return node instanceof HTMLDetailsElement && name === "open";
}
