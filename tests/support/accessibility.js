// What a page lacks for people who use a keyboard or a screen reader, or see little: a list of
// sentences, empty where nothing was found. WCAG 2.2: 1.3.1, 1.4.3, 2.4.2, 2.5.8, 3.1.1, 4.1.2.
() => {
  const found = [];
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const where = (e) => `${e.tagName.toLowerCase()}${e.id && "#" + e.id} "${e.textContent.trim().slice(0, 30)}"`;
  if (!document.documentElement.lang) found.push("the page names no language");
  if (!document.title.trim()) found.push("the page has no title");
  if (document.querySelectorAll("h1").length !== 1) found.push("there is not exactly one h1");
  if (document.querySelectorAll("main").length !== 1) found.push("there is not exactly one main");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) found.push(`id ${id} twice`);
  for (const name of ["aria-labelledby", "aria-describedby"]) {
    for (const e of document.querySelectorAll(`[${name}]`)) {
      for (const id of e.getAttribute(name).split(" ")) {
        if (!document.getElementById(id)) found.push(`${where(e)}: ${name} names nothing`);
      }
    }
  }
  for (const e of document.querySelectorAll("a, button, select, textarea, input:not([type=hidden])")) {
    const labels = [...(e.labels || [])].map((l) => l.textContent).join("");
    const own = e.matches("a, button") ? e.textContent : "";
    if (!(e.ariaLabel || labels || own || "").trim()) found.push(`${where(e)} has no name`);
    if (!shown(e) || e.disabled || e.matches("p a, li a, .skip-link, .since a")) continue;
    const box = (e.matches("[type=checkbox]") ? e.closest("label") || e : e).getBoundingClientRect();
    if (Math.min(box.width, box.height) < 24) found.push(`${where(e)} is smaller than 24 pixels`);
  }

  const channels = (css) => css.match(/[\d.]+/g).map(Number);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((c) => {
      const s = c / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const rgb = channels(getComputedStyle(at).backgroundColor);
      if (rgb.length === 3 || rgb[3] === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(e)) continue;
    if (e.closest(":disabled, .visually-hidden, option, script, style")) continue;
    const style = getComputedStyle(e);
    const [one, other] = [luminance(channels(style.color)), luminance(behind(e))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) found.push(`${where(e)}: contrast ${contrast.toFixed(2)}`);
  }
  return found;
}
