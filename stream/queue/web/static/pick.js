// Keys on pages of plain forms: what a button or a link carries as data-key, it is pressed by. Every
// key is a button too, and without this script the pages work.
(() => {
  "use strict";

  const { keyOf } = globalThis.Desk;
  const LETTERS = { KeyA: "a", KeyX: "x" }; // by their place: Russian letters stand there as well

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
    if (localStorage.getItem("queue_keys") === "off") return;
    if (event.target.closest("select, textarea, input:not([type=checkbox])")) return;
    const key = event.key === "Escape" ? "Escape" : keyOf(event) || LETTERS[event.code] || "";
    if (key === "Enter" && event.target.closest("button, a, summary")) return;
    const target = key && document.querySelector(`main [data-key="${key}"]`);
    if (!target || target.disabled) return;
    event.preventDefault();
    target.click();
  });

  // Of a list with ticks: how many there are, all or none of them.
  const list = document.querySelector("form[data-picked]");
  if (list) {
    const boxes = [...list.querySelectorAll("input[type=checkbox][name=chosen]")];
    const count = () => {
      const picked = boxes.filter((box) => box.checked).length;
      list.querySelector("#picked").value = list.dataset.picked.replace("%", picked).replace("#", boxes.length);
      for (const button of list.querySelectorAll("[data-needs-picked]")) button.disabled = !picked;
    };
    for (const button of list.querySelectorAll("[data-pick-all]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        for (const box of boxes) box.checked = button.dataset.pickAll === "yes";
        count();
      });
    }
    list.addEventListener("change", count);
    window.addEventListener("pageshow", count);
    count();
  }

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
