// The desk by keyboard, without waiting: the next review is fetched while this one is read, and shown
// the moment a key is pressed. Without this script the page works too: every key is a form's button.
(() => {
  "use strict";

  const { keyOf, Unsaved, Finder } = globalThis.Desk;
  const place = document.getElementById("card-place");
  const message = document.getElementById("message");
  const state = document.getElementById("state");
  const leftBehind = document.getElementById("left");
  const status = document.getElementById("status");
  const progress = document.getElementById("progress");
  const words = message.dataset;
  const who = place.dataset.who;
  const HEADERS = { "X-Partial": "1" };
  // Of what the page asks by itself: it does not prolong the session of somebody who has left.
  const BY_ITSELF = { ...HEADERS, "X-By-Itself": "1" };
  const ANSWER_MS = 15_000; // a network that drops packets says nothing at all
  const KEEP_MS = 120_000; // a lease holds five minutes
  const TICK_MS = 5_000;
  // More would outgrow the ten reviews that the server lets one person hold, in two windows.
  const MOST_UNSAVED = 3;

  let ready = null; // promise of the next card's HTML
  let shownAt = performance.now();
  let busy = false;
  let undoable = false; // a card that was fetched ahead does not know of what was decided since
  let token = document.querySelector("[name=csrf]").value;

  const card = () => document.getElementById("card");
  const form = () => document.getElementById("decision"); // none while the server is away
  const others = document.getElementById("others"); // where there are more categories than keys
  const finder = others && new Finder(others, act);
  const idOf = (element) => element.dataset.id; // percent-encoded, as are the forms' ids

  class Refused extends Error {
    constructor(code, text, final = false) {
      super(text);
      this.code = code;
      this.final = final; // asking again will not help
    }
  }

  async function call(address, options = {}) {
    let response;
    try {
      response = await fetch(address, {
        headers: HEADERS, ...options, credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (response.ok && !response.redirected) return await response.text();
    } catch {
      throw new Refused("offline", words.offline);
    }
    if (response.redirected) throw new Refused("not-signed-in", words.ended); // to a proxy's own page
    const said = await response.json().catch(() => ({}));
    const again = response.status >= 500 || [401, 408, 429].includes(response.status) || said.code === "form";
    throw new Refused(said.code || "", said.message || `HTTP ${response.status}`, !again);
  }

  function nextAddress(held) {
    const address = new URL("/next", location.origin);
    const here = new URLSearchParams(location.search);
    for (const name of ["order", "filter"]) {
      if (here.get(name)) address.searchParams.set(name, here.get(name));
    }
    for (const id of held) address.searchParams.append("on_screen", decodeURIComponent(id));
    return address;
  }

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = html; // our own page's part, escaped by the server
    const element = template.content.getElementById("card");
    if (element.dataset.who !== who) { // somebody else signed in meanwhile, in another window
      location.reload();
      throw new Refused("not-signed-in", words.ended);
    }
    token = element.querySelector("[name=csrf]").value;
    return element;
  }

  // Saving.

  async function send(entry) {
    const body = new FormData();
    for (const [name, value] of entry.fields) body.set(name, value);
    const post = () => {
      body.set("csrf", token);
      return call(entry.address, { method: "POST", body, keepalive: true });
    };
    let html;
    try {
      html = await post();
    } catch (error) {
      if (error.code !== "form") throw error;
      const now = JSON.parse(await call("/form-token")); // signed in anew, in another window
      if (now.who !== who) throw new Refused("not-signed-in", words.ended);
      token = now.token;
      html = await post();
    }
    progress.innerHTML = html;
    status.textContent = entry.said;
    if (entry.address !== "/decide") return;
    undoable = true;
    offerUndo();
    remember(entry);
  }

  // One's latest answers, to be clicked back to.
  const latest = document.getElementById("latest");
  const LATEST = 5;

  function remember({ review, choice }) {
    forget(review);
    const line = document.createElement("li");
    line.dataset.review = review;
    line.append(linkTo(`/decided?item=${review}`, decodeURIComponent(review)), ` → ${choice}`);
    latest.prepend(line);
    while (latest.children.length > LATEST) latest.lastElementChild.remove();
    latest.parentElement.hidden = false;
  }

  function forget(review) {
    [...latest.children].find((line) => line.dataset.review === review)?.remove();
    latest.parentElement.hidden = !latest.children.length;
  }

  // How many somebody wants to decide today; their browser remembers it.
  const goal = document.getElementById("goal");
  const goalKey = `queue_goal:${who}`;

  function showGoal() {
    const today = document.getElementById("today");
    const wanted = Number(goal.value);
    if (!today || today.dataset.goal === goal.value) return;
    today.dataset.goal = goal.value;
    const done = Number.parseInt(today.textContent, 10);
    today.textContent = wanted ? `${done} / ${wanted}` : `${done}`;
    if (wanted && done === wanted) status.textContent = goal.dataset.reached;
  }

  goal.value = localStorage.getItem(goalKey) ?? "";
  goal.addEventListener("change", () => {
    localStorage.setItem(goalKey, goal.value);
    showGoal();
  });
  new MutationObserver(showGoal).observe(progress, { childList: true, subtree: true });
  showGoal();

  const unsaved = new Unsaved(who, send);

  // Sends what is not saved yet; returns the error that stands in the way, null if none does.
  async function settle() {
    const failure = await unsaved.flush(showRefused);
    tell(failure);
    return failure;
  }

  // Says what stands in the way, for as long as it does.
  function tell(error) {
    if (!error) {
      state.hidden = true;
      return;
    }
    const kept = words.kept.replace("%", unsaved.size);
    const text = unsaved.size ? `${words.failed} ${error.message} ${kept} ` : `${error.message} `;
    if (!state.hidden && state.dataset.text === text) return; // not to be read aloud again
    state.dataset.text = text;
    state.replaceChildren(text);
    if (error.code === "not-signed-in") {
      const back = encodeURIComponent(location.pathname + location.search);
      state.append(linkTo(`/sign-in?back=${back}`, words.signIn));
    }
    state.hidden = false;
  }

  // Of what was asked, and of no decision: nothing was to be saved, and the next key puts it away.
  function complain(error) {
    if (error.code === "not-signed-in") {
      tell(error);
      return;
    }
    const line = document.createElement("p");
    line.append(`${error.message} `, buttonFor(words.dismiss, () => { putLineAway(""); }));
    showLine("", line);
  }

  // A decision that the server will never take stays there until it was put away: keys are quicker
  // than eyes.
  function showRefused({ review, choice, why }) {
    const line = document.createElement("p");
    const back = linkTo(`/?item=${review}`, words.back);
    const away = () => {
      unsaved.putAway(review);
      putLineAway(review);
    };
    back.addEventListener("click", away);
    line.append(`${words.failed} ${why} ${decodeURIComponent(review)} → ${choice} `, back, " ", buttonFor(words.dismiss, away));
    showLine(review, line);
  }

  const lineOf = (review) => [...message.children].find((line) => line.dataset.review === review);

  function showLine(review, line) {
    line.dataset.review = review;
    lineOf(review)?.remove();
    message.append(line);
    message.hidden = false;
  }

  function putLineAway(review) {
    lineOf(review)?.remove();
    message.hidden = !message.children.length;
  }

  function linkTo(address, text) {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = text;
    return link;
  }

  function buttonFor(text, act) {
    const button = document.createElement("button");
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  }

  // What was decided before a reload, a lost session or a closed window, and was not confirmed.
  async function offerLeft() {
    const { fresh, old } = await unsaved.left();
    const decisions = old.filter((entry) => entry.address === "/decide");
    if (fresh.length) {
      unsaved.adopt(fresh);
      settle();
    }
    if (!decisions.length || !leftBehind.hidden) return;
    const list = document.createElement("ul");
    for (const entry of decisions) {
      const line = document.createElement("li");
      line.append(linkTo(`/?item=${entry.review}`, decodeURIComponent(entry.review)), ` → ${entry.choice}`);
      list.append(line);
    }
    const answer = (act) => async () => { // as it is now: some may have been decided anew
      leftBehind.hidden = true;
      act((await unsaved.left()).old);
      await settle();
    };
    leftBehind.replaceChildren(
      words.left.replace("%", decisions.length), list,
      buttonFor(words.save, answer((entries) => unsaved.adopt(entries))), " ",
      buttonFor(words.discard, answer((entries) => unsaved.discard(entries))),
    );
    leftBehind.hidden = false;
  }

  // What is on the screen.

  const prefetch = () => {
    const held = [idOf(card()), ...unsaved.reviews];
    ready = held[0] ? call(nextAddress(held)).catch(() => null) : null;
  };

  function offerUndo() {
    const undo = undoable && form()?.querySelector('[data-key="u"]');
    if (undo) undo.disabled = false;
  }

  function offerOthers() {
    finder?.offer(Boolean(idOf(card())), (card().dataset.ranked ?? "").split(" "));
  }

  function show(element) {
    place.replaceChildren(element);
    offerUndo();
    offerOthers();
    shownAt = performance.now();
    document.getElementById("card-title").focus({ preventScroll: true });
    window.scrollTo(0, 0);
    prefetch();
  }

  // Nothing to read until the server answers; the clock below goes on from here.
  function stall() {
    ready = null;
    place.replaceChildren(document.getElementById("stalled").content.cloneNode(true));
    offerOthers();
    document.getElementById("card-title").focus({ preventScroll: true });
  }

  function isNext(element) {
    const id = element && idOf(element);
    const isFresh = id && Number(element.dataset.expires) > Date.now() + 5_000;
    return isFresh && !unsaved.reviews.includes(id) && unsaved.size <= MOST_UNSAVED;
  }

  // Shows the next card: the one that was fetched ahead, or a new one.
  async function advance() {
    const html = ready && (await ready);
    const element = html && parsed(html);
    // "Nothing" that was fetched ahead may be out of date by now.
    if (isNext(element)) {
      show(element);
      return;
    }
    try {
      const failure = await settle();
      if (failure) throw failure;
      show(parsed(await call(nextAddress([]))));
    } catch (error) {
      tell(error);
      stall();
    }
  }

  // Deciding.

  async function leave(button, address) {
    const fields = new FormData(form());
    if (button.name) fields.set(button.name, button.value);
    fields.set("seconds", ((performance.now() - shownAt) / 1000).toFixed(2));
    fields.delete("csrf");
    const choice = (button.querySelector(".choice-name") || button.querySelector("span")).textContent.trim();
    const said = address === "/skip" ? words.skipped : words.saved.replace("%", () => choice);
    const decided = idOf(card());
    unsaved.putAway(decided); // a new answer to it
    putLineAway(decided);
    unsaved.add(decided, { address, choice, said, fields: [...fields] });
    putLineAway("");
    const settled = settle();
    if (fields.get("kind") === "adjudication") { // its list is where one goes on
      const isSaved = !(await settled) && !unsaved.refused.some(({ review }) => review === decided);
      if (isSaved) location.assign("/disputes");
      return;
    }
    await advance();
  }

  async function undo() {
    if (await settle()) throw new Refused("", words.noUndo); // it may have arrived, unanswered
    const body = new FormData(form());
    body.set("csrf", token);
    const restored = parsed(await call("/undo", { method: "POST", body }));
    undoable = false; // what came knows whether there is more
    forget(idOf(restored));
    show(restored);
    status.textContent = words.undone;
    // Not waited for: keys are heard at once. Later figures are not replaced by these.
    const figures = progress.innerHTML;
    call("/progress-bar").then((html) => {
      if (progress.innerHTML === figures) progress.innerHTML = html;
    }, () => {});
  }

  async function act(button) {
    if (busy) return;
    busy = true;
    place.ariaBusy = "true";
    try {
      const address = button.getAttribute("formaction") || form().getAttribute("action");
      if (address === "/undo") await undo();
      else if (address === "/decide" || address === "/skip") await leave(button, address);
      else form().requestSubmit(button);
    } catch (error) {
      complain(error);
    } finally {
      busy = false;
      place.ariaBusy = "false";
    }
  }

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (event.target !== form() || !button || button.getAttribute("formaction") === "/show-skipped") return;
    event.preventDefault();
    act(button);
  });

  // Speech input types letters: whoever uses it switches the keys off (WCAG 2.1.4).
  const keysOn = document.getElementById("keys-on");
  keysOn.checked = localStorage.getItem("queue_keys") !== "off";
  keysOn.addEventListener("change", () => {
    localStorage.setItem("queue_keys", keysOn.checked ? "on" : "off");
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
    const target = event.target;
    if (!keysOn.checked || target.closest("select, textarea, input:not([type=checkbox])")) return;
    const key = keyOf(event);
    if (!key || (key === "Enter" && target.closest("button, a, summary"))) return;
    if (key === "/") {
      event.preventDefault();
      const saved = busy || settle();
      Promise.race([saved, new Promise((done) => setTimeout(done, 1_000))]).then(() => location.assign("/search"));
      return;
    }
    if (key === "0") {
      if (!finder || !idOf(card())) return;
      event.preventDefault();
      finder.open();
      return;
    }
    const selector = key === "Enter" ? "[data-top]" : `[data-key="${key}"]`;
    const button = form()?.querySelector(selector);
    const why = key === "Enter" && document.getElementById("no-guess");
    if (!button && why) why.hidden = false;
    if (!button || button.disabled) return;
    event.preventDefault();
    act(button);
  });

  // While somebody reads, the review stays theirs.
  setInterval(() => {
    if (document.hidden || busy || !idOf(card())) return;
    const body = new FormData(form());
    fetch("/keep", { method: "POST", headers: BY_ITSELF, body }).catch(() => {});
  }, KEEP_MS);

  // What could not be saved is sent again; while nothing is on the screen, the queue is asked again.
  async function tick() {
    if (busy) return;
    await offerLeft();
    if (unsaved.size && (await settle())) return;
    if (document.hidden || busy || idOf(card())) return;
    try {
      const element = parsed(await call(nextAddress([]), { headers: BY_ITSELF }));
      tell(null);
      if (!busy && !idOf(card()) && (idOf(element) || !form())) show(element);
    } catch (error) {
      tell(error);
    }
  }
  setInterval(tick, TICK_MS);
  window.addEventListener("online", tick);
  document.addEventListener("visibilitychange", tick);

  if (matchMedia("(max-width: 60rem)").matches) document.getElementById("rules").open = false;
  document.getElementById("card-title").focus({ preventScroll: true });
  offerOthers();
  unsaved.refused.forEach(showRefused);
  prefetch();
  offerLeft();
})();
