// What pages do beyond reading. Every page reads, filters and pages without this file; only signing needs it.
"use strict";
(() => {
  const all = (sel, root = document) => [...root.querySelectorAll(sel)];

  // Copy buttons are hidden until there is something behind them.
  const ready = (root) => all("[data-copy][hidden]", root).forEach((b) => { b.hidden = false; });
  ready(document);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.dataset.done = "";
  });

  // Text that would be lost.
  let unsaved = false;
  document.addEventListener("input", (event) => { if (event.target.closest("form[data-guard]")) unsaved = true; });
  document.addEventListener("submit", () => { unsaved = false; });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

  // After a swap the reader continues at the heading or result that came.
  document.addEventListener("htmx:after:swap", (event) => {
    const root = event.target instanceof Element ? event.target : document;
    ready(root);
    const next = root.querySelector?.("[autofocus]");
    if (next) next.focus();
  });
  document.querySelector(".summary[autofocus]")?.focus();

  // Single keys, only where they are switched on and nobody is typing. None of them signs, releases, revokes or deletes.
  if ("shortcuts" in document.body.dataset) {
    let prefix = false, row = -1;
    const go = { w: "worklist", c: "cases", a: "assign", d: "devices", h: "hearing" };
    document.addEventListener("keydown", (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input,textarea,select,[contenteditable]")) return;
      const rows = all("[data-row]");
      const key = event.key;
      if (prefix) { prefix = false; if (go[key]) location.href = "/console/" + go[key]; return; }
      if (key === "g") prefix = true;
      else if (key === "/") { event.preventDefault(); document.getElementById("q")?.focus(); }
      else if (key === "j" || key === "k") {
        if (!rows.length) return;
        row = Math.max(0, Math.min(rows.length - 1, row + (key === "j" ? 1 : -1)));
        rows[row].querySelector("a")?.focus();
      }
      else if (key === "[") document.querySelector("a[rel=prev]")?.click();
      else if (key === "]") document.querySelector("a[rel=next]")?.click();
      else if (key === "?") location.href = "/console/settings";
    });
  }
})();
