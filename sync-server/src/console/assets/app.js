// What pages do beyond reading; only signing needs this file.
"use strict";
(() => {
  const all = (sel, root = document) => [...root.querySelectorAll(sel)];

  // Dead without this file.
  const ready = (root) => all("[data-copy][hidden],[data-print]", root).forEach((b) => { b.hidden = false; });
  ready(document);
  addEventListener("click", async (event) => {
    if (event.target.closest("[data-print]")) print();
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.dataset.done = "";
  });

  // Unsaved text.
  let unsaved = false;
  addEventListener("input", (event) => { if (event.target.closest("form[data-guard]")) unsaved = true; });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

  // Counts, while somebody looks.
  setInterval(() => { if (!document.hidden) all("[data-poll]").forEach((e) => e.dispatchEvent(new Event("refresh"))); }, 60000);

  // After a swap: at the result.
  addEventListener("htmx:after:swap", (event) => {
    const root = event.target instanceof Element ? event.target : document;
    ready(root);
    root.querySelector("[autofocus]")?.focus();
  });
  // After a form: at what is marked, else the heading.
  const h1 = document.querySelector("h1"), sent = sessionStorage.sent;
  addEventListener("submit", () => { unsaved = false; sessionStorage.sent = 1; });
  delete sessionStorage.sent;
  if (h1) h1.tabIndex = -1;
  (document.querySelector("main [autofocus]") ?? (sent && h1))?.focus();

  // Single keys, where they are switched on and nobody types. None signs, releases, revokes or deletes.
  if ("shortcuts" in document.body.dataset) {
    let prefix = false, row = -1;
    const go = { w: "worklist", c: "cases", a: "assign", d: "devices", h: "hearing" };
    addEventListener("keydown", (event) => {
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

  // The key: P-256, not exportable.
  const store = (mode, act) => new Promise((done, fail) => {
    const open = indexedDB.open("fieldseal", 1);
    open.onupgradeneeded = () => open.result.createObjectStore("keys", { keyPath: "public" });
    open.onerror = () => fail(open.error);
    open.onsuccess = () => {
      const asked = act(open.result.transaction("keys", mode).objectStore("keys"));
      asked.onsuccess = () => { open.result.close(); done(asked.result); };
      asked.onerror = () => fail(asked.error);
    };
  });
  const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  const show = (form, name, hidden = false) => all(`[data-${name}]`, form).forEach((e) => { e.hidden = hidden; });
  const curve = { name: "ECDSA", namedCurve: "P-256" };

  // r ‖ s, s in the lower half: the one form that the format takes.
  const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const lowS = (raw) => {
    const s = BigInt("0x" + hex(raw.slice(32)));
    return hex(raw.slice(0, 32)) + (s > ORDER / 2n ? ORDER - s : s).toString(16).padStart(64, "0");
  };

  if (isSecureContext && window.indexedDB) {
    for (const form of all("form[data-sign]")) (async () => {
      show(form, "sign-missing", true);
      const known = Object.fromEntries(form.dataset.keys.trim().split(" ").map((pair) => pair.split("=")));
      const held = (await store("readonly", (keys) => keys.getAll())).find((key) => known[key.public]);
      if (!held) return show(form, "sign-nokey");
      show(form, "sign-with");
      form.querySelector(`[data-fingerprint="${held.public}"]`).hidden = false;
      form.querySelector("button").disabled = false;
      form.addEventListener("submit", async (event) => {
        if (form.elements.signature.value) return;
        event.preventDefault();
        const bytes = Uint8Array.from(atob(form.dataset.sign), (c) => c.charCodeAt(0));
        try {
          const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, held.pair.privateKey, bytes);
          form.elements.key.value = known[held.public];
          form.elements.signature.value = lowS(new Uint8Array(raw));
          form.submit();
        } catch { show(form, "sign-failed"); }
      });
    })();
    for (const form of all("form[data-make-key]")) {
      show(form, "sign-missing", true);
      form.querySelector("button").disabled = false;
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        try {
          const pair = await crypto.subtle.generateKey(curve, false, ["sign", "verify"]);
          const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
          const point = hex([2 + (raw[64] & 1), ...raw.slice(1, 33)]);
          await store("readwrite", (keys) => keys.put({ public: point, pair, user: form.dataset.makeKey }));
          if (!(await navigator.storage?.persist?.())) show(form, "persist");
          form.elements.public.value = point;
          form.submit();
        } catch { show(form, "sign-failed"); }
      });
    }
    if (document.querySelector("[data-here]")) store("readonly", (keys) => keys.getAllKeys()).then((held) => {
      all("[data-here]").forEach((tag) => { tag.hidden = !held.includes(tag.dataset.here); });
    });
  }
})();
