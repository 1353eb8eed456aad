"use strict";
// The page: signs in, listens to the server's events, fills the board. Everything is set as text.
const root = document.documentElement;
const one = (selector, within = document) => within.querySelector(selector);
const state = { language: localStorage.language || document.documentElement.lang, span: localStorage.span || "15m", categories: [], last: null, source: null, marks: new Map(), wanted: "", isWhole: false };

const word = (name) => WORDS[state.language][name] ?? name;
const fill = (name, ...values) => values.reduce((text, value, i) => text.replace(`{${i}}`, value), word(name));
const number = (value, digits = 0) => value.toLocaleString(word("locale"), { minimumFractionDigits: digits, maximumFractionDigits: digits });
const share = (value, digits = 1) => value === null ? "—" : value.toLocaleString(word("locale"), { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
const clock = (at) => new Date(at * 1000).toLocaleTimeString(word("locale"), { hour: "2-digit", minute: "2-digit" });
const exactly = (at) => new Date(at * 1000).toLocaleTimeString(word("locale"));
const rate = (value) => number(value, value > 0 && value < 10 ? 1 : 0);
const short = (value) => value >= 1e6 ? `${number(value / 1e6, value % 1e6 ? 1 : 0)}M` : value >= 1e4 ? `${number(value / 1e3)}k` : number(value, value > 0 && value < 3 && value % 1 ? 1 : 0);
const seconds = (value) => value === null ? "—" : value < 1 ? [number(value * 1000), word("milliseconds")] : [number(value, value < 10 ? 1 : 0), word("seconds")];
const minutes = (value) => number(value / 60, value % 60 ? 1 : 0);

function plural(count, [one, few, many]) {
  const rule = new Intl.PluralRules(word("locale")).select(count);
  return rule === "one" ? one : rule === "few" ? few : many;
}

function translate() {
  root.lang = state.language;
  document.title = word("title");
  document.querySelectorAll("[data-word]").forEach((n) => { n.textContent = word(n.dataset.word); });
  document.querySelectorAll("[data-label]").forEach((n) => n.setAttribute("aria-label", word(n.dataset.label)));
  document.querySelectorAll("[data-span]").forEach((button) => {
    button.textContent = word(button.dataset.span);
    button.setAttribute("aria-pressed", String(button.dataset.span === state.span));
  });
  one("#language").textContent = word("language");
  one("#language").setAttribute("aria-label", word("languageName"));
  one("#waiting").textContent = word("waiting");
}

function setTheme(theme) {
  root.dataset.theme = theme;
  one("#theme").textContent = theme === "dark" ? "☀" : "☾";
}

function pulse(kind) {
  one("#pulse").className = kind;
  one("#pulse span").textContent = word(kind);
}

function show(id) {
  for (const name of ["sign-in", "board", "waiting"]) one(`#${name}`).hidden = name !== id;
  one("#sign-out").hidden = id !== "board";
}

// -- the parts of the board ---------------------------------------------------------------------

const ICONS = { calm: "M4 12.5l5 5L20 6.5", alarm: "M12 3L22 20H2L12 3zm0 7v4m0 3v.5", watched: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zm10 3a3 3 0 1 0 0-6 3 3 0 0 0 0 6z" };
function icon(name) {
  return node("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, node("path", { d: ICONS[name], fill: "none", stroke: "currentColor", "stroke-width": 2.2, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}

function alertWords(alert) {
  const ours = word("alert");
  return typeof ours === "object" && ours[alert.name] ? ours[alert.name] : [alert.title, alert.advice];
}

function alertValue(name, value) {
  if (value === null) return "—";
  if (["relabel-share", "unknown-words", "dead-letters", "estimated-precision"].includes(name)) return share(value);
  if (name === "silence") return `${number(value)} ${word("seconds")}`;
  return ["lag", "backlog"].includes(name) ? number(value) : number(value, 2);
}

// Beyond a mark, and no alert yet: the page says so instead of calling it calm above a red bar.
function watchedCard({ name, value, due_in: due }, rule, { enough, reviews, needed }) {
  const remark = enough ? fill("dueIn", number(due)) : fill("silentBelow", number(reviews), number(needed));
  return element("div", { class: "alert watched" }, icon("watched"), element("b", {}, fill("watched", alertWords(rule)[0])),
    element("span", { class: "value" }, alertValue(name, value), element("small", {}, `${word("mark")} ${alertValue(name, rule.raise_at)}`)),
    element("p", {}, remark));
}

// What is held stands above all alerts: nothing is published there until a person or a new model says so.
function heldCards({ held }) {
  return held.map((one) => element("div", { class: "alert critical", role: "alert", "data-held": one.category }, icon("alarm"),
    element("b", {}, fill("heldTitle", nameOf(one.category))),
    element("span", { class: "value" }, fill("heldWhy", number(one.right), number(one.audited)), element("small", {}, `${word("since")} ${exactly(one.since)}`)),
    element("p", {}, fill("heldHow", one.model))));
}

function drawAlerts({ alerts, watched, window: now, quality }) {
  const active = alerts.filter((alert) => alert.active).sort((a, b) => a.severity.localeCompare(b.severity));
  const cards = heldCards(quality);
  cards.push(...active.filter((alert) => alert.name !== "category-held").map((alert) => {
    const [title, advice] = alertWords(alert);
    return element("div", { class: `alert ${alert.severity}`, role: "alert" }, icon("alarm"), element("b", {}, title),
      element("span", { class: "value" }, alertValue(alert.name, alert.value), element("small", {}, `${word("raisedAt")} ${alertValue(alert.name, alert.changed_by)} ${word("since")} ${clock(alert.since)}`)),
      element("p", {}, advice));
  }));
  cards.push(...watched.map((one) => watchedCard(one, alerts.find((alert) => alert.name === one.name), now)));
  if (!cards.length) cards.push(element("div", { class: "alert calm" }, icon("calm"), element("span", {}, word("calm"))));
  one("#alerts").replaceChildren(...cards);
}

function tile(name, [value, unit], remark, values, mark) {
  const figure = element("div", { class: "number" }, value);
  if (unit) figure.append(element("small", {}, unit));
  return element("div", { class: "tile", id: `tile-${name}` }, element("h3", {}, word(name)), figure, element("div", { class: "note" }, remark), sparkline(values, mark));
}

function drawTiles({ window: now, series, broker, totals }) {
  const sure = now.relabel_share === null ? null : 1 - now.relabel_share;
  const window = fill("inWindow", minutes(now.seconds));
  const sureSeries = series.reviews.map((all, i) => (all > series.dead[i] ? 1 - series.relabelled[i] / (all - series.dead[i]) : null));
  const workers = `${now.workers.length} ${plural(now.workers.length, word("workers"))}`;
  const answered = [`${share(now.cache_share, 0)} ${word("cache")}`];
  if (now.first_stage_share !== null) answered.push(fill("firstStage", share(now.first_stage_share, 0)));
  const delay = now.delay === null ? ["—"] : seconds(now.delay);
  one("#tiles").replaceChildren(
    tile("throughput", [rate(now.per_second), word("perSecond")], `${workers}, ${number(totals.reviews)} ${word("total")}`, series.reviews, "--accent"),
    tile("lag", [broker.lag === null ? "—" : number(broker.lag)], broker.lag === null ? word("unknown") : word("lagUnit"), broker.past.map((p) => p[1]), "--c1"),
    tile("delay", delay, word("fromArrival"), series.delay, "--c7"),
    tile("sure", [share(sure)], window, sureSeries, "--c3"),
    tile("confidence", [now.confidence === null ? "—" : number(now.confidence, 3)], answered.join(", "), series.confidence, "--c6"),
    tile("backlog", [number(broker.backlog)], `${number(broker.settled)} ${word("settled")}`, broker.past.map((p) => p[2]), "--c5"),
  );
}

const OTHERS = -1; // the categories that a chart shows in sum
const COLOURS = 9; // the last one is theirs, where there are more categories
const FOREMOST = 15; // rows that can be read without looking for them
const nameOf = (i) => (i === OTHERS ? word("others") : state.categories[i]?.[state.language] ?? "");

// Colours of what a chart shows. Of many categories others come in time: who stays keeps its colour.
function marksOf(shown) {
  if (!shown.includes(OTHERS)) return shown;
  const kept = new Map([...state.marks].filter(([i]) => shown.includes(i)));
  const free = Array.from({ length: COLOURS - 1 }, (_, mark) => mark).filter((mark) => ![...kept.values()].includes(mark));
  for (const i of shown) if (i !== OTHERS && !kept.has(i)) kept.set(i, free.shift());
  state.marks = kept;
  return shown.map((i) => (i === OTHERS ? COLOURS - 1 : kept.get(i)));
}

function drawMix({ series, categories }) {
  const box = one("#mix .chart");
  const layers = series.categories.map((layer) => layer.map((count) => count / series.step));
  const { shown } = series;
  const marks = marksOf(shown);
  const chart = stackedChart(box, { from: series.start, step: series.step, layers, marks, format: short, clock, label: word("mix") });
  const whole = categories.reduce((sum, row) => sum + row.reviews, 0);
  const counts = shown.map((i) => categories[i]?.reviews ?? 0);
  if (shown.includes(OTHERS)) counts[shown.indexOf(OTHERS)] = whole - counts.reduce((sum, count) => sum + count, 0);
  one("#mix .legend").replaceChildren(...shown.map((i, n) =>
    element("span", { "data-mark": marks[n], class: counts[n] ? null : "none" }, nameOf(i), element("em", {}, whole ? share(counts[n] / whole, counts[n] ? 1 : 0) : ""))));
  const named = layers.map((layer, n) => ({ layer, name: nameOf(shown[n]), mark: marks[n] }));
  box.onmousemove = (event) => { state.pointer = event; hover(box, chart, named, series, event); };
  box.onmouseleave = () => { state.pointer = null; one(".tip", box)?.remove(); one(".cursor", chart.svg)?.remove(); };
  if (state.pointer) hover(box, chart, named, series, state.pointer); // the redraw took it away
}

function hover(box, chart, layers, series, event) {
  const at = event.clientX - box.getBoundingClientRect().left;
  const { left, right, top, bottom } = chart.plot;
  const count = layers[0].layer.length;
  const i = Math.min(Math.max(Math.floor(((at - left) / (right - left)) * count), 0), count - 1);
  const begin = series.start + i * series.step;
  const rows = layers.filter(({ layer }) => layer[i] > 0).sort((a, b) => b.layer[i] - a.layer[i]);
  const tip = element("div", { class: "tip" }, element("b", {}, `${exactly(begin)} – ${exactly(begin + series.step)}`),
    ...rows.map(({ layer, name, mark }) => element("div", {}, element("span", { "data-mark": mark }, name), rate(layer[i]))));
  if (!rows.length) tip.append(element("div", {}, word("none")));
  one(".tip", box)?.remove();
  one(".cursor", chart.svg)?.remove();
  const x = chart.x(begin + series.step / 2);
  chart.svg.append(node("line", { class: "cursor", x1: x, x2: x, y1: top, y2: bottom }));
  box.append(tip);
  tip.style.left = `${x + 14 + tip.offsetWidth > box.clientWidth ? x - 14 - tip.offsetWidth : x + 14}px`;
}

function drawConfidence({ window: now }) {
  one("#confidence h2 small").textContent = fill("histogramUnit", minutes(now.seconds));
  const whole = now.histogram.reduce((sum, count) => sum + count, 0);
  const shares = now.histogram.map((count) => (whole ? count / whole : 0));
  histogram(one("#confidence .chart"), { shares, reference: now.reference, format: (value) => share(value, value && value < 0.1 ? 1 : 0), label: word("histogram") });
  const origin = { model: "referenceModel", baseline: "referenceBaseline" }[now.reference_origin] || "referenceNone";
  one("#confidence .remark").textContent = `${number(whole)} ${word("reviews")}. ${word(origin)}`;
}

function meter(name, value, alert, format) {
  const scale = alert ? alert.raise_at * 1.6 : 1;
  const level = value === null || !alert ? "" : value >= alert.raise_at ? "bad" : value > alert.clear_at ? "warn" : "";
  const bar = element("div", { class: "fill" });
  bar.style.width = `${Math.min((value ?? 0) / scale, 1) * 100}%`;
  const track = element("div", { class: "track" }, bar);
  if (alert) {
    const limit = element("div", { class: "limit" });
    limit.style.left = `${(alert.raise_at / scale) * 100}%`;
    track.append(limit);
  }
  return element("div", { class: `meter ${level}` }, element("span", {}, word(name)), element("b", {}, value === null ? "—" : format(value)), track);
}

function drawDrift({ window: now, alerts }) {
  const rule = (name) => alerts.find((alert) => alert.name === name);
  const plain = (value) => number(value, 3);
  one("#drift h2 small").textContent = fill("driftUnit", minutes(now.seconds));
  one("#drift .meters").replaceChildren(
    meter("mixPsi", now.mix_psi, rule("category-mix"), plain),
    meter("mixJs", now.mix_js, null, plain),
    meter("confidencePsi", now.confidence_psi, rule("confidence"), plain),
    meter("unknownShare", now.unknown_share, rule("unknown-words"), (value) => share(value, 2)),
    meter("relabelShare", now.relabel_share, rule("relabel-share"), share),
  );
  one("#drift .remark").textContent = now.enough ? word("limit") : `${word("limit")} ${fill("tooFew", number(now.reviews), number(now.needed))}`;
}

function drawPast(id, column, { broker, series, alerts }, mark) {
  const limit = alerts.find((alert) => alert.name === id)?.raise_at;
  const to = series.start + series.step * series.reviews.length;
  const points = broker.past.map((point) => [Math.min(Math.max(point[0], series.start), to), point[column]]);
  lineChart(one(`#${id} .chart`), { points, from: series.start, to, format: short, clock, mark, limit, label: word(id) });
}

// An open transaction: nobody can read what lies behind it, however many workers there are.
function heldBack(held) {
  const named = [held.transactional_id, held.producer_id === null ? null : `producer ${held.producer_id}`, held.untold];
  const since = held.since === null ? "" : ` ${word("since")} ${new Date(held.since * 1000).toLocaleTimeString(word("locale"))}`;
  return `${word("partition")} ${held.partition}: ${number(held.events)} ${word("heldBack")}${since} (${named.filter(Boolean).join(", ")})`;
}

function drawBroker(all) {
  drawPast("lag", 1, all, "--c1");
  drawPast("backlog", 2, all, "--c5");
  const { broker, categories } = all;
  one("#lag .bars").replaceChildren(...Object.entries(broker.partitions).map(([partition, lag]) =>
    element("span", {}, `${word("partition")} ${partition}: `, element("b", {}, number(lag)))),
    ...broker.held.map((held) => element("span", { class: "held" }, heldBack(held))));
  const by = (who) => categories.reduce((sum, row) => sum + row.decided[who], 0);
  one("#backlog .facts").replaceChildren(...["ensemble", "llm", "person"].map((who) =>
    element("span", {}, `${word(who)}: `, element("b", {}, number(by(who))))));
}

// What several rows come to.
function inSum(rows) {
  const sum = (value) => rows.reduce((total, row) => total + value(row), 0);
  const reviews = sum((row) => row.reviews);
  return {
    reviews, relabelled: sum((row) => row.relabelled),
    confidence: reviews ? sum((row) => (row.confidence ?? 0) * row.reviews) / reviews : null,
    decided: Object.fromEntries(["ensemble", "llm", "person"].map((who) => [who, sum((row) => row.decided[who])])),
  };
}

// Which rows the table has, and in which order: all of few categories; of many what is looked for, else
// the largest and all others in sum.
function rowsOf(categories) {
  const rows = categories.map((row, i) => ({ ...row, i, name: nameOf(i) }));
  if (rows.length <= COLOURS) return rows;
  rows.sort((a, b) => b.reviews - a.reviews || a.i - b.i);
  if (state.wanted) return rows.filter(({ i }) => isWanted(state.categories[i]));
  if (state.isWhole || rows.length <= FOREMOST + 1) return rows; // one alone is no sum
  const others = rows.slice(FOREMOST);
  return [...rows.slice(0, FOREMOST), { ...inSum(others), i: OTHERS, name: `${nameOf(OTHERS)} (${others.length})` }];
}

const folded = (text) => text.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^\p{L}\p{N}]+/gu, " ").trim();
const isWanted = (category) => Boolean(category) && folded(Object.values(category).join(" ")).includes(folded(state.wanted));
const markOf = (i) => (state.categories.length <= COLOURS ? i : i === OTHERS ? COLOURS - 1 : state.marks.get(i) ?? null);

function drawTable({ categories }) {
  const whole = categories.reduce((sum, row) => sum + row.reviews, 0);
  one("#table .find").hidden = categories.length <= COLOURS;
  one("#all").hidden = categories.length <= FOREMOST + 1;
  one("#all").setAttribute("aria-pressed", String(state.isWhole));
  one("#table h2 small").textContent = word(state.span);
  one("#table thead").replaceChildren(element("tr", {}, ...["category", "reviews", "share", "confidence", "relabelled", "decidedBy"].map((name) => element("th", { scope: "col" }, word(name)))));
  one("#table tbody").replaceChildren(...rowsOf(categories).map((row) => {
    const mark = markOf(row.i);
    const bar = element("span", { class: "bar" }, element("i"));
    bar.firstChild.style.width = `${whole ? (row.reviews / whole) * 100 : 0}%`;
    bar.firstChild.style.background = `var(--c${mark ?? COLOURS - 1})`;
    const { ensemble, llm, person } = row.decided;
    return element("tr", { class: row.reviews ? null : "none" },
      element("td", { class: "name", "data-mark": mark }, row.name),
      element("td", {}, number(row.reviews)),
      element("td", {}, whole ? share(row.reviews / whole) : "—", bar),
      element("td", {}, row.confidence === null ? "—" : number(row.confidence, 3)),
      element("td", {}, row.reviews ? `${number(row.relabelled)} (${share(row.relabelled / row.reviews, 0)})` : "—"),
      element("td", {}, `${number(ensemble)} · ${number(llm)} · ${number(person)}`));
  }));
}

function drawQuality({ quality }) {
  const { rows, columns, promised } = quality;
  one("#quality h2 small").textContent = promised === null ? word("promisedNothing") : fill("promised", share(promised));
  one("#quality thead").replaceChildren(element("tr", {}, ...["category", "audits", "audited", "interval", "estimated", "estimateError", "proof"].map((name) => element("th", { scope: "col" }, word(name)))));
  const named = rows.map((values) => Object.fromEntries(values.map((value, n) => [columns[n], value])));
  one("#quality tbody").replaceChildren(...named.map((row) => {
    const whole = row.category === OTHERS;
    const broken = row.proof >= 1 && !whole;
    const error = row.precision === null || row.expected === null ? null : row.expected - row.precision;
    return element("tr", { class: broken || row.held ? "broken" : null },
      element("td", { class: "name" }, whole ? word("allOfThem") : nameOf(row.category), row.held ? ` (${word("isHeld")})` : ""),
      element("td", {}, `${number(row.decided)} ${word("of")} ${number(row.audited)}`),
      element("td", {}, share(row.precision)),
      element("td", {}, row.low === null ? "—" : `${share(row.low)} – ${share(row.high)}`),
      element("td", {}, share(row.estimated)),
      element("td", {}, error === null ? "—" : share(error)),
      element("td", {}, whole ? "" : broken ? word("proven") : share(row.proof, 0)));
  }));
  one("#quality .remark").textContent = word("qualityRemark");
}

function drawModels({ models, announcements, series }) {
  const versions = [...new Set(models.map((stretch) => stretch.version))];
  const colours = ["--c0", "--c7", "--c6", "--c3", "--c5"];
  timeline(one("#models .chart"), {
    stretches: models, from: series.start, to: series.start + series.step * series.reviews.length, clock, label: word("models"),
    colour: (version) => `var(${colours[versions.indexOf(version) % colours.length]})`,
    events: announcements.map((a) => ({ at: a.at, label: `${word(a.role)} ${a.version.slice(0, 8)}${a.refused ? ` — ${word("modelRefused")}` : ""}`, title: a.refused })),
  });
}

function drawChanges({ changes, alerts }) {
  const list = one("#changes ol");
  if (!changes.length) return list.replaceChildren(element("li", {}, word("noChanges")));
  return list.replaceChildren(...changes.slice(0, 12).map((change) => {
    const alert = alerts.find((candidate) => candidate.name === change.name);
    return element("li", {}, element("time", {}, exactly(change.at)),
      element("span", { class: change.raised ? "state" : "state over" }, word(change.raised ? "raised" : "cleared")),
      element("span", {}, `${alertWords(alert)[0]}: ${alertValue(change.name, change.value)}`));
  }));
}

function draw() {
  const all = state.last;
  if (!all) return;
  show("board"); // first: a hidden box has no width to draw into
  drawAlerts(all);
  drawTiles(all);
  drawMix(all);
  drawConfidence(all);
  drawDrift(all);
  drawBroker(all);
  drawTable(all);
  drawQuality(all);
  drawModels(all);
  drawChanges(all);
}

// -- the connection -----------------------------------------------------------------------------

function listen() {
  state.source?.close();
  const source = (state.source = new EventSource(`/events?span=${state.span}`));
  source.addEventListener("categories", (event) => { state.categories = JSON.parse(event.data); });
  source.addEventListener("state", (event) => {
    state.last = JSON.parse(event.data);
    pulse("live");
    draw();
  });
  source.onerror = async () => {
    if (source !== state.source) return;
    pulse("lost");
    // A refusal ends an EventSource for good and does not say why: ask.
    if (source.readyState !== EventSource.CLOSED) return;
    const allowed = await fetch("/session").then((answer) => answer.ok, () => null);
    if (allowed === false) show("sign-in");
    else setTimeout(listen, 3000);
  };
}

async function signIn(key) {
  const answer = await fetch("/session", { method: "POST", body: key });
  one("#refused").textContent = answer.ok ? "" : word(answer.status === 429 ? "tooMany" : "refused");
  if (answer.ok) { show("waiting"); listen(); } else show("sign-in");
}

async function begin() {
  setTheme(localStorage.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  translate();
  show("waiting");
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key) {
    history.replaceState(null, "", "/"); // the key is used up, and must not stand in the history
    await signIn(key);
  } else if ((await fetch("/session")).ok) listen();
  else show("sign-in");
}

async function signOut() {
  state.source?.close();
  state.source = state.last = null; // what another viewer must not see any more
  await fetch("/session", { method: "DELETE" });
  location.replace("/");
}

one("#sign-out").addEventListener("click", signOut);
one("#sign-in").addEventListener("submit", (event) => { event.preventDefault(); signIn(one("#key").value); });
one("#language").addEventListener("click", () => {
  state.language = localStorage.language = state.language === "ru" ? "en" : "ru";
  translate();
  if (state.last) pulse("live");
  draw();
});
one("#theme").addEventListener("click", () => {
  localStorage.theme = root.dataset.theme === "dark" ? "light" : "dark";
  setTheme(localStorage.theme);
});
one("#wanted").addEventListener("input", (event) => {
  state.wanted = event.target.value;
  draw();
});
one("#all").addEventListener("click", () => {
  state.isWhole = !state.isWhole;
  draw();
});
one("#span").addEventListener("click", (event) => {
  if (!event.target.dataset.span) return;
  state.span = localStorage.span = event.target.dataset.span;
  translate();
  listen();
});
addEventListener("resize", draw);
begin();
