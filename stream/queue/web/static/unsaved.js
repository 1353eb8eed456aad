// What was decided and is not saved yet. It is kept in this browser until the server says that it has
// it: a lost network, an ended session or a closed page lose nothing. What the server will never take
// is kept until somebody has put it away. No text of a review is kept.
(() => {
  "use strict";

  const PREFIX = "queue_unsaved";
  const REFUSED = "queue_refused";
  const SILENT_MS = 60_000; // what a reload cut off a moment ago is sent again without a question
  const page = globalThis.crypto?.randomUUID?.() ?? String(Math.random());

  // Held while this page lives: what names a page that no longer does was left behind.
  navigator.locks?.request(`queue_page ${page}`, () => new Promise(() => {}));

  async function livingPages() {
    if (!navigator.locks) return null;
    const { held } = await navigator.locks.query();
    return new Set(held.map((lock) => lock.name.replace("queue_page ", "")));
  }

  class Unsaved {
    #prefix;
    #send;
    #own = new Map(); // by review; also when the browser keeps nothing
    #refusedPrefix;
    #refused = new Map(); // likewise
    #running = null;

    // who: the account whose decisions these are; nobody else is offered them.
    // send(entry): resolves when it is saved; rejects with an error whose `final` says that the
    // server will never take it.
    constructor(who, send) {
      this.#prefix = `${PREFIX} ${who} `;
      this.#refusedPrefix = `${REFUSED} ${who} `;
      this.#send = send;
    }

    get size() {
      return this.#own.size;
    }

    get reviews() {
      return [...this.#own.keys()];
    }

    // Answers that the server will never take, with its reason as `why`, in the order in which it said so.
    get refused() {
      const kept = this.#stored(this.#refusedPrefix).map((entry) => [entry.review, entry]);
      return [...new Map([...this.#refused, ...kept]).values()];
    }

    // Somebody has read why an answer was refused.
    putAway(review) {
      this.#refused.delete(review);
      localStorage.removeItem(this.#refusedPrefix + review);
    }

    // Keeps an answer to a review; a later answer to it takes its place.
    add(review, entry) {
      this.#keep({ ...entry, review, page, at: Date.now(), told: false });
    }

    // Sends what is kept, in the order in which it was decided. Resolves to the error that stopped it,
    // null if nothing is left. onRefused(entry) hears of what the server will never take.
    flush(onRefused) {
      this.#running ??= this.#drain(onRefused).finally(() => { this.#running = null; });
      return this.#running;
    }

    // Answers that pages left behind which are gone: of a moment ago, and those to ask about.
    async left() {
      const living = await livingPages();
      const found = this.#stored().filter((entry) => {
        if (entry.page === page || this.#own.has(entry.review)) return false;
        return living ? !living.has(entry.page) : Date.now() - entry.at > SILENT_MS;
      });
      const isFresh = (entry) => !entry.told && Date.now() - entry.at < SILENT_MS;
      return { fresh: found.filter(isFresh), old: found.filter((entry) => !isFresh(entry)) };
    }

    // Makes answers of pages that are gone this page's own.
    adopt(entries) {
      for (const entry of entries) this.#keep({ ...entry, page, told: false });
    }

    discard(entries) {
      for (const entry of entries) this.#forget(entry);
    }

    async #drain(onRefused) {
      while (this.#own.size) {
        const entry = [...this.#own.values()].reduce((a, b) => (b.at < a.at ? b : a));
        try {
          await this.#send(entry);
        } catch (error) {
          if (!error.final) {
            for (const kept of this.#own.values()) this.#keep({ ...kept, told: true });
            return error;
          }
          const refused = { review: entry.review, choice: entry.choice, why: error.message, at: Date.now() };
          this.#refused.set(entry.review, refused);
          this.#store(this.#refusedPrefix, refused);
          onRefused(refused);
        }
        this.#forget(entry);
      }
      return null;
    }

    #keep(entry) {
      this.#own.set(entry.review, entry);
      this.#store(this.#prefix, entry);
    }

    #store(prefix, entry) {
      try {
        localStorage.setItem(prefix + entry.review, JSON.stringify(entry));
      } catch { /* full, or forbidden: then it lives as long as the page */ }
    }

    #forget(entry) {
      if (this.#own.get(entry.review)?.at === entry.at) this.#own.delete(entry.review);
      if (this.#read(this.#prefix + entry.review)?.at === entry.at) {
        localStorage.removeItem(this.#prefix + entry.review);
      }
    }

    #stored(prefix = this.#prefix) {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
      const entries = keys.map((key) => this.#read(key)).filter(Boolean);
      return entries.sort((a, b) => a.at - b.at);
    }

    #read(key) {
      try {
        return JSON.parse(localStorage.getItem(key));
      } catch {
        return null;
      }
    }
  }

  (globalThis.Desk ??= {}).Unsaved = Unsaved;
})();
