// Which of the desk's keys was pressed: 0 to 9, "?", "/", "u", "s", "n", "Enter"; "" for none of them.
(() => {
  "use strict";

  const BY_PLACE = { KeyU: "u", KeyS: "s", KeyN: "n", Slash: "/" };

  // By what the key types first: "/" is elsewhere on every board, and on the numeric pad as well. Then
  // by its place: in the Russian layout the key of "U" types "г", the key of "/" types ".".
  function keyOf(event) {
    const typed = event.key;
    if (typed === "Enter" || /^[0-9?/]$/.test(typed)) return typed;
    if (event.shiftKey) return event.code === "Slash" && typed === "," ? "?" : ""; // Russian: Shift+/ is ","
    if (/^[usn]$/i.test(typed)) return typed.toLowerCase();
    // Another Latin letter is what it says (Dvorak has its U elsewhere); a pad without NumLock only moves.
    if (/^[a-z]$/i.test(typed) || typed.length > 1) return "";
    const digit = /^Digit([0-9])$/.exec(event.code); // French: 1 is typed with Shift
    return digit ? digit[1] : BY_PLACE[event.code] || "";
  }

  (globalThis.Desk ??= {}).keyOf = keyOf;
})();
