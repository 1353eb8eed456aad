"use strict";
// Charts as SVG, drawn from numbers alone. No text of a review ever comes here.
const SVG = "http://www.w3.org/2000/svg";

function node(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// The next round number above: 1, 2 or 5 times a power of ten.
function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((candidate) => candidate >= value * 0.9999);
}

function timeTicks(from, to, wanted) {
  // Whole minutes: the labels have no seconds.
  const steps = [60, 120, 300, 600, 900, 1800, 3600, 7200];
  const step = steps.find((candidate) => (to - from) / candidate <= wanted) || 14400;
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return ticks;
}

// A frame with horizontal grid lines and a time axis; returns what is needed to draw inside.
function frame(box, { height, from, to, top, format, clock, left = 44 }) {
  const width = Math.max(box.clientWidth, 240);
  const plot = { left, right: width - 8, top: 8, bottom: height - 22 };
  const x = (at) => plot.left + ((at - from) / Math.max(to - from, 1)) * (plot.right - plot.left);
  const y = (value) => plot.bottom - (value / top) * (plot.bottom - plot.top);
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
  for (const part of [0, 0.5, 1]) {
    const line = y(top * part);
    svg.append(
      node("line", { class: part ? "gridline" : "axis", x1: plot.left, x2: plot.right, y1: line, y2: line }),
      node("text", { x: plot.left - 7, y: line + 4, "text-anchor": "end" }, format(top * part)),
    );
  }
  for (const at of timeTicks(from, to, width / 90)) {
    if (x(at) > plot.right - 14 || x(at) < plot.left + 4) continue;
    svg.append(node("text", { x: x(at), y: height - 5, "text-anchor": "middle" }, clock(at)));
  }
  return { svg, x, y, plot, width };
}

// Layers on top of each other, one step of time each; a mark names a layer's colour.
function stackedChart(box, { from, step, layers, marks, format, clock, label }) {
  const count = layers[0].length;
  const sums = Array.from({ length: count }, (_, i) => layers.reduce((sum, layer) => sum + layer[i], 0));
  const top = roundUp(Math.max(...sums, 0));
  const { svg, x, y, plot } = frame(box, { height: 232, from, to: from + step * count, top, format, clock });
  svg.setAttribute("aria-label", label);
  let below = new Array(count).fill(0);
  layers.forEach((layer, n) => {
    const above = below.map((value, i) => value + layer[i]);
    if (layer.some((value) => value > 0)) {
      // Steps, not slopes: a sum over ten seconds is the same for all of them.
      const upper = above.flatMap((value, i) => [[x(from + i * step), y(value)], [x(from + (i + 1) * step), y(value)]]);
      const lower = below.flatMap((value, i) => [[x(from + i * step), y(value)], [x(from + (i + 1) * step), y(value)]]).reverse();
      const points = [...upper, ...lower].map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(" ");
      svg.append(node("polygon", { points, fill: `var(--c${marks[n]})` }));
    }
    below = above;
  });
  box.replaceChildren(svg);
  return { svg, x, y, plot, index: (at) => Math.min(Math.max(Math.floor((at - from) / step), 0), count - 1) };
}

// One line with its area; gaps where nothing is known.
function lineChart(box, { points, from, to, format, clock, mark, limit = null, label, height = 150 }) {
  const known = points.filter(([, value]) => value !== null);
  const top = roundUp(Math.max(...known.map(([, value]) => value), limit && limit < 4 * Math.max(...known.map(([, v]) => v), 1) ? limit : 0, 1));
  const { svg, x, y, plot } = frame(box, { height, from, to, top, format, clock });
  svg.setAttribute("aria-label", label);
  if (limit && limit <= top) {
    svg.append(node("line", { x1: plot.left, x2: plot.right, y1: y(limit), y2: y(limit), stroke: "var(--warn)", "stroke-dasharray": "5 4" }));
  }
  if (known.length) {
    const line = known.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    const area = `${x(known[0][0]).toFixed(1)},${y(0)} ${line} ${x(known.at(-1)[0]).toFixed(1)},${y(0)}`;
    svg.append(
      node("polygon", { points: area, fill: `var(${mark})`, opacity: 0.14 }),
      node("polyline", { points: line, fill: "none", stroke: `var(${mark})`, "stroke-width": 2, "stroke-linejoin": "round" }),
      node("circle", { cx: x(known.at(-1)[0]), cy: y(known.at(-1)[1]), r: 3, fill: `var(${mark})` }),
    );
  }
  box.replaceChildren(svg);
}

function sparkline(values, mark) {
  const svg = node("svg", { viewBox: "0 0 120 34", preserveAspectRatio: "none", "aria-hidden": "true" });
  const known = values.map((value, i) => [i, value]).filter(([, value]) => value !== null);
  if (known.length < 2) return svg;
  const top = Math.max(...known.map(([, value]) => value), 1e-9);
  const x = (i) => (i / Math.max(values.length - 1, 1)) * 120;
  const y = (value) => 32 - (value / top) * 28;
  const line = known.map(([i, value]) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  svg.append(
    node("polygon", { points: `${x(known[0][0])},34 ${line} ${x(known.at(-1)[0])},34`, fill: `var(${mark})`, opacity: 0.13 }),
    node("polyline", { points: line, fill: "none", stroke: `var(${mark})`, "stroke-width": 1.6, "vector-effect": "non-scaling-stroke", "stroke-linejoin": "round" }),
  );
  return svg;
}

// Bars for what is, an outline for what is normal; both as shares of one.
function histogram(box, { shares, reference, format, label, height = 226 }) {
  const top = roundUp(Math.max(...shares, ...(reference || []), 0.01));
  const width = Math.max(box.clientWidth, 240);
  const plot = { left: 44, right: width - 8, top: 8, bottom: height - 22 };
  const bin = (plot.right - plot.left) / shares.length;
  const y = (value) => plot.bottom - (value / top) * (plot.bottom - plot.top);
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label });
  for (const part of [0, 0.5, 1]) {
    svg.append(
      node("line", { class: part ? "gridline" : "axis", x1: plot.left, x2: plot.right, y1: y(top * part), y2: y(top * part) }),
      node("text", { x: plot.left - 7, y: y(top * part) + 4, "text-anchor": "end" }, format(top * part)),
    );
  }
  shares.forEach((share, i) => {
    const bar = node("rect", { x: plot.left + i * bin + 1.5, width: Math.max(bin - 3, 1), y: y(share), height: Math.max(plot.bottom - y(share), 0), rx: 2, fill: "var(--accent)", opacity: 0.85 });
    bar.append(node("title", {}, `${(i / shares.length).toFixed(2)}–${((i + 1) / shares.length).toFixed(2)}: ${format(share)}`));
    svg.append(bar);
  });
  if (reference) {
    const outline = reference.flatMap((share, i) => [[plot.left + i * bin, y(share)], [plot.left + (i + 1) * bin, y(share)]]);
    svg.append(node("polyline", { points: outline.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(" "), fill: "none", stroke: "var(--ink)", "stroke-width": 1.6, opacity: 0.75 }));
  }
  for (let tick = 0; tick <= 10; tick += 2) {
    svg.append(node("text", { x: plot.left + (tick / 10) * (plot.right - plot.left), y: height - 5, "text-anchor": "middle" }, (tick / 10).toFixed(1)));
  }
  box.replaceChildren(svg);
}

// Which model answered when: a band with a colour for each version.
function timeline(box, { stretches, events, from, to, clock, label, colour }) {
  const height = 78;
  const { svg, x, plot } = frame(box, { height, from, to, top: 1, format: () => "", clock, left: 8 });
  svg.setAttribute("aria-label", label);
  svg.querySelectorAll(".gridline, .axis").forEach((line) => line.remove());
  svg.append(node("rect", { x: plot.left, width: plot.right - plot.left, y: 18, height: 26, rx: 6, fill: "var(--grid)" }));
  for (const stretch of stretches) {
    const left = Math.max(x(stretch.from), plot.left);
    const width = Math.max(x(stretch.to) - left, 3);
    const band = node("rect", { x: left, width, y: 18, height: 26, rx: 6, fill: colour(stretch.version) });
    band.append(node("title", {}, `${stretch.version}: ${clock(stretch.from)}–${clock(stretch.to)}`));
    svg.append(band);
    const name = stretch.version.slice(0, 16);
    if (width > 130) svg.append(node("text", { x: left + 10, y: 36, class: "inside" }, name));
    // The first minute of a model: its name stands before its band, if that place is free.
    else if (stretch === stretches[0] && left > 150) svg.append(node("text", { x: left - 8, y: 36, "text-anchor": "end" }, name));
  }
  for (const event of events) {
    if (event.at < from || event.at > to) continue;
    const words = node("text", { x: x(event.at) + 4, y: 11 }, event.label);
    if (event.title) words.append(node("title", {}, event.title));
    svg.append(node("line", { class: "cursor", x1: x(event.at), x2: x(event.at), y1: 12, y2: 48 }), words);
  }
  box.replaceChildren(svg);
}
