// Keys on pages of plain forms: what a button or a link carries as data-key, it is pressed by. Every
// key is a button too, and without this script the pages work.
(() => {
  "use strict";

  const { keyOf } = globalThis.Desk;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
    if (localStorage.getItem("queue_keys") === "off") return;
    if (event.target.closest("select, textarea, input:not([type=checkbox])")) return;
    const key = event.key === "Escape" ? "Escape" : keyOf(event);
    const target = key && document.querySelector(`main [data-key="${key}"]`);
    if (!target || target.disabled) return;
    event.preventDefault();
    target.click();
  });

  // Once is enough: a second press while the answer is on its way would say it again.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
  // Back in the browser brings the page as it was left.
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
  });
})();
