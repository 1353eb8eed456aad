// The desk by keyboard, without waiting: the next review is fetched while this one is read, and shown
// the moment a key is pressed. Without this script the page works too: every key is a form's button.
(() => {
  "use strict";

  const place = document.getElementById("card-place");
  const message = document.getElementById("message");
  const status = document.getElementById("status");
  const progress = document.getElementById("progress");
  const HEADERS = { "X-Partial": "1" };
  // Of what the page asks by itself: it does not prolong the session of somebody who has left.
  const BY_ITSELF = { ...HEADERS, "X-By-Itself": "1" };
  const KEEP_MS = 120_000; // a lease holds five minutes
  const POLL_MS = 5_000;

  let ready = null; // promise of the next card's HTML
  let shownAt = performance.now();
  let sending = Promise.resolve();
  const underWay = new Set(); // answered, not yet saved: still ours, and not to be shown again
  let busy = false;
  let undoable = false; // a card that was fetched ahead does not know of what was decided since

  const card = () => document.getElementById("card");
  const form = () => document.getElementById("decision");
  const idOf = (element) => element.dataset.id;

  class Refused extends Error {
    constructor(code, text) {
      super(text);
      this.code = code;
    }
  }

  async function call(address, options = {}) {
    let response;
    try {
      response = await fetch(address, { headers: HEADERS, ...options, credentials: "same-origin" });
    } catch {
      throw new Refused("offline", message.dataset.offline);
    }
    if (response.status === 401) {
      location.reload();
      await new Promise(() => {});
    }
    if (response.ok) return response.text();
    const said = await response.json().catch(() => ({}));
    throw new Refused(said.code || "", said.message || `HTTP ${response.status}`);
  }

  function nextAddress(held) {
    const address = new URL("/next", location.origin);
    const here = new URLSearchParams(location.search);
    for (const name of ["order", "filter"]) {
      if (here.get(name)) address.searchParams.set(name, here.get(name));
    }
    for (const id of held) address.searchParams.append("on_screen", id);
    return address;
  }

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = html; // our own page's part, escaped by the server
    return template.content.getElementById("card");
  }

  const prefetch = () => {
    const held = [idOf(card()), ...underWay];
    ready = held[0] ? call(nextAddress(held)).catch(() => null) : null;
  };

  function offerUndo() {
    const undo = undoable && form().querySelector('[data-key="u"]');
    if (undo) undo.disabled = false;
  }

  function show(element) {
    place.replaceChildren(element);
    offerUndo();
    shownAt = performance.now();
    document.getElementById("card-title").focus({ preventScroll: true });
    window.scrollTo(0, 0);
    prefetch();
  }

  const isFresh = (element) => !idOf(element) || Number(element.dataset.expires) > Date.now() + 5_000;

  // Shows the next card: the one that was fetched ahead, or a new one.
  async function advance(leaving) {
    const html = ready && (await ready);
    const element = html && parsed(html);
    // "Nothing" that was fetched ahead may be out of date by now.
    if (element && idOf(element) && idOf(element) !== leaving && isFresh(element)) {
      show(element);
      return;
    }
    await sending;
    show(parsed(await call(nextAddress([]))));
  }

  function complain(error, reviewId) {
    const what = reviewId ? `${message.dataset.failed} ` : ""; // else nothing was to be saved
    message.replaceChildren(`${what}${error.message} `);
    if (reviewId) {
      const link = document.createElement("a");
      link.href = `/?item=${encodeURIComponent(reviewId)}`;
      link.textContent = message.dataset.back;
      message.append(link, " ");
    }
    const close = document.createElement("button");
    close.textContent = message.dataset.dismiss;
    close.addEventListener("click", () => { message.hidden = true; });
    message.append(close);
    message.hidden = false;
  }

  async function post(address, body, said, reviewId) {
    try {
      progress.innerHTML = await call(address, { method: "POST", body });
      status.textContent = said;
      if (address === "/decide") {
        undoable = true;
        offerUndo();
      }
    } catch (error) {
      complain(error, reviewId);
    }
  }

  function bodyOf(button) {
    const body = new FormData(form());
    if (button.name) body.set(button.name, button.value);
    body.set("seconds", ((performance.now() - shownAt) / 1000).toFixed(2));
    return body;
  }

  async function leave(button, address) {
    const leaving = idOf(card());
    const body = bodyOf(button);
    const name = button.querySelector(".choice-name") || button;
    const said = address === "/skip"
      ? message.dataset.skipped
      : message.dataset.saved.replace("%", () => name.textContent.trim());
    if (body.get("kind") === "adjudication") { // its list is where one goes on
      await post(address, body, said, leaving);
      if (message.hidden) location.assign("/disputes");
      return;
    }
    // One after the other, so that undo finds them in the order in which they were made.
    underWay.add(leaving);
    sending = sending
      .then(() => post(address, body, said, leaving))
      .finally(() => underWay.delete(leaving));
    await advance(leaving);
  }

  async function undo() {
    const body = new FormData(form());
    await sending;
    const restored = parsed(await call("/undo", { method: "POST", body }));
    undoable = false; // what came knows whether there is more
    show(restored);
    status.textContent = message.dataset.undone;
    progress.innerHTML = await call("/progress-bar");
  }

  async function act(button) {
    if (busy) return;
    busy = true;
    try {
      const address = button.getAttribute("formaction") || form().getAttribute("action");
      if (address === "/undo") await undo();
      else if (address === "/decide" || address === "/skip") await leave(button, address);
      else form().requestSubmit(button);
    } catch (error) {
      complain(error);
    } finally {
      busy = false;
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

  // By the key's place on the board, so that U and S work in the Russian layout too.
  function keyOf(event) {
    if (event.key === "?") return "?";
    if (event.shiftKey) return "";
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit) return digit[1];
    return { KeyU: "u", KeyS: "s", Slash: "/" }[event.code] || (event.key === "Enter" ? "Enter" : "");
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const target = event.target;
    if (!keysOn.checked || target.closest("select, textarea, input:not([type=checkbox])")) return;
    const key = keyOf(event);
    if (key === "Enter" && target.closest("button, a, summary")) return;
    if (key === "/" && event.key === "/") {
      event.preventDefault();
      location.assign("/search");
      return;
    }
    const selector = key === "Enter" ? "[data-top]" : `[data-key="${key}"]`;
    const button = key && key !== "/" && form() && form().querySelector(selector);
    if (!button || button.disabled) return;
    event.preventDefault();
    act(button);
  });

  // While somebody reads, the review stays theirs; while nothing waits, look again.
  setInterval(() => {
    if (document.hidden || busy || !idOf(card())) return;
    fetch("/keep", { method: "POST", headers: BY_ITSELF, body: new FormData(form()) }).catch(() => {});
  }, KEEP_MS);
  setInterval(() => {
    if (document.hidden || busy || idOf(card())) return;
    call(nextAddress([]), { headers: BY_ITSELF }).then((html) => {
      const element = parsed(html);
      if (idOf(element)) show(element);
    }).catch(() => {});
  }, POLL_MS);

  if (matchMedia("(max-width: 60rem)").matches) document.getElementById("rules").open = false;
  document.getElementById("card-title").focus({ preventScroll: true });
  prefetch();
})();
