// Finding one of many categories by a few letters of any of its names, typed in either layout.
(() => {
  "use strict";

  const LATIN = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`";
  const RUSSIAN = "йцукенгшщзхъфывапролджэячсмитьбюё";
  const OTHER_KEY = new Map([...LATIN].flatMap((letter, i) => [[letter, RUSSIAN[i]], [RUSSIAN[i], letter]]));
  const MOST = 9; // more are not read; another letter is quicker
  const LEAST_FOR_A_TYPO = 4; // of a shorter word nearly every other one is a typo
  const LONGEST = 30;

  // One form for all ways to write a name: "Ёлка-2" and "елка 2" are the same.
  const plain = (text) =>
    text.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^\p{L}\p{N}]+/gu, " ").trim();
  const inOtherLayout = (text) => [...text.toLowerCase()].map((letter) => OTHER_KEY.get(letter) ?? letter).join("");

  // Whether letters are beginnings of words, in their order: "carpay" of "card payment fee".
  function areBeginnings(letters, words) {
    if (!letters) return true;
    return words.some((word, i) => {
      for (let n = 1; n <= letters.length && letters[n - 1] === word[n - 1]; n += 1) {
        if (areBeginnings(letters.slice(n), words.slice(i + 1))) return true;
      }
      return false;
    });
  }

  // Whether one letter is wrong, missing, too many, or changed places with its neighbour, in a beginning.
  function isTypo(typed, word) {
    let before = [];
    let row = Array.from({ length: typed.length + 2 }, (_, j) => j);
    for (let i = 1; i <= typed.length; i += 1) {
      const next = [i];
      for (let j = 1; j < row.length; j += 1) {
        const same = typed[i - 1] === word[j - 1];
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0 : 1));
        const crossed = i > 1 && j > 1 && typed[i - 1] === word[j - 2] && typed[i - 2] === word[j - 1];
        if (crossed) next[j] = Math.min(next[j], before[j - 2] + 1);
      }
      [before, row] = [row, next];
    }
    const ends = Math.min(word.length, typed.length + 1);
    return row.slice(0, ends + 1).some((distance) => distance <= 1);
  }

  // Whether letters come in this order, from the beginning of a word on: "crd" of "card".
  function areWithin(letters, words) {
    return words.some((_, i) => {
      const rest = words.slice(i).join("");
      if (letters[0] !== rest[0]) return false;
      let at = 0;
      for (const letter of rest) if (letter === letters[at]) at += 1;
      return at === letters.length;
    });
  }

  // How far what was typed is from a name: 0 is its beginning, Infinity is nothing in common.
  function distance(typed, name) {
    if (name.startsWith(typed)) return 0;
    const words = name.split(" ");
    if (words.some((word) => word.startsWith(typed))) return 1;
    if (areBeginnings(typed, words)) return 2;
    if (name.includes(typed)) return 3;
    if (typed.length >= LEAST_FOR_A_TYPO && words.some((word) => isTypo(typed, word))) return 4;
    return typed.length > 1 && areWithin(typed, words) ? 5 : Infinity;
  }

  function best(query, names) {
    const typed = query.slice(0, LONGEST);
    let found = { far: Infinity, name: 0 };
    for (const [text, more] of [[plain(typed), 0], [plain(inOtherLayout(typed)), 0.5]]) {
      if (!text) continue;
      names.forEach((name, i) => {
        const whole = distance(text, name);
        const apart = text.split(" ").reduce((sum, word) => sum + distance(word, name), 0);
        const far = Math.min(whole, apart) + more;
        if (far < found.far) found = { far, name: i };
      });
    }
    return found;
  }

  // Returns the entries that match, nearest first; of equally near ones, those that the model holds
  // for likelier. `name` is the place of the name that matched.
  function matches(query, entries, ranked = []) {
    const rank = (entry) => (ranked.includes(entry.slug) ? ranked.indexOf(entry.slug) : ranked.length);
    return entries
      .map((entry) => ({ ...best(query, entry.plain ??= entry.names.map(plain)), entry }))
      .filter(({ far }) => far < Infinity)
      .sort((a, b) => a.far - b.far || rank(a.entry) - rank(b.entry)
        || a.entry.plain[a.name].length - b.entry.plain[b.name].length)
      .map(({ entry, name }) => ({ entry, name }));
  }

  // The field and the list below it: a combobox, as the ARIA practices describe it.
  class Finder {
    #section;
    #field;
    #list;
    #none;
    #choose;
    #entries;
    #ranked = [];
    #active = 0;

    // choose(button): what happens with the button of the category that was found.
    constructor(section, choose) {
      this.#section = section;
      this.#field = section.querySelector("#find");
      this.#list = section.querySelector("#found");
      this.#none = section.querySelector("#found-none");
      this.#choose = choose;
      this.#entries = [...section.querySelectorAll("button[data-names]")].map((button) => ({
        button, slug: button.value, group: button.dataset.group, names: button.dataset.names.split("\n"),
      }));
      section.querySelector(".find").hidden = false; // useless without this script
      this.#field.addEventListener("input", () => this.#look());
      this.#field.addEventListener("keydown", (event) => this.#press(event));
      this.#list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
      this.#list.addEventListener("click", (event) => {
        const line = event.target.closest("[role=option]");
        if (line) this.#choose(this.#buttonOf(line));
      });
    }

    open() {
      this.#field.focus();
      this.#field.select();
    }

    // A new review is on the screen, or none.
    offer(isAnything, ranked) {
      this.#section.hidden = !isAnything;
      this.#ranked = ranked;
      this.#field.value = "";
      this.#look();
    }

    #look() {
      const query = this.#field.value;
      const found = matches(query, this.#entries, this.#ranked).slice(0, MOST);
      this.#list.replaceChildren(...found.map(({ entry, name }, i) => this.#line(entry, name, i)));
      this.#list.hidden = !found.length;
      this.#none.hidden = Boolean(found.length) || !plain(query);
      this.#field.ariaExpanded = String(Boolean(found.length));
      this.#activate(0);
      if (found.length) this.#list.scrollIntoView({ block: "nearest" });
    }

    #line(entry, name, i) {
      const line = document.createElement("li");
      line.role = "option";
      line.id = `found-${i}`;
      line.dataset.slug = entry.slug;
      const shown = document.createElement("span");
      shown.className = "choice-name";
      shown.textContent = entry.button.textContent.trim();
      const more = document.createElement("span");
      more.className = "since";
      const other = entry.names[name];
      more.textContent = [other === shown.textContent ? "" : other, entry.group].filter(Boolean).join(" · ");
      line.append(shown, " ", more);
      return line;
    }

    #activate(at) {
      const lines = [...this.#list.children];
      this.#active = lines.length ? (at + lines.length) % lines.length : 0;
      lines.forEach((line, i) => { line.ariaSelected = String(i === this.#active); });
      if (lines.length) this.#field.setAttribute("aria-activedescendant", lines[this.#active].id);
      else this.#field.removeAttribute("aria-activedescendant");
    }

    #press(event) {
      if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "ArrowDown") this.#activate(this.#active + 1);
      else if (event.key === "ArrowUp") this.#activate(this.#active - 1);
      else if (event.key === "Enter") this.#take(event.repeat);
      else if (event.key === "Escape") this.#leave();
      else return;
      event.preventDefault();
    }

    #take(isHeld) {
      const line = this.#list.children[this.#active];
      if (line && !isHeld) this.#choose(this.#buttonOf(line));
    }

    #leave() {
      this.#field.value = "";
      this.#look();
      document.getElementById("card-title").focus({ preventScroll: true });
    }

    #buttonOf(line) {
      return this.#entries.find((entry) => entry.slug === line.dataset.slug).button;
    }
  }

  Object.assign((globalThis.Desk ??= {}), { matches, Finder });
})();
