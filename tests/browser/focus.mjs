// Walking by keyboard: where the focus is, whether a person sees it.

/** What has the focus, and what is wrong with it. */
export const focused = (page) => page.evaluate(() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  const rings = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const covering = inside ? document.elementFromPoint(Math.min(Math.max(box.left + Math.min(box.width / 2, 40), 1), innerWidth - 1), Math.min(Math.max(box.top + box.height / 2, 1), innerHeight - 1)) : null;
  const covered = covering && !node.contains(covering) && !covering.contains(node) && getComputedStyle(covering).position !== 'static';
  const name = (node.getAttribute('aria-label') || node.innerText || node.value || node.labels?.[0]?.innerText || node.name || node.id || '').trim().replace(/\s+/g, ' ').slice(0, 60);
  const path = [];
  for (let one = node; one && one !== document.body; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
  return {
    tag: node.tagName.toLowerCase(), name, href: node.getAttribute('href'), path: path.join('.'),
    wrong: [rings || 'no visible ring', (inside && box.width > 0 && box.height > 0) || 'out of view', !covered || `covered by ${covering?.tagName}.${covering?.className}`].filter((one) => one !== true),
    x: Math.round(box.left), y: Math.round(box.top),
  };
});

/** Presses Tab until `wanted` has the focus; every stop on the way must be seen. Gives the number of stops. */
export async function tabTo(page, wanted, problems, most = 120) {
  const seen = [];
  for (let n = 0; n < most; n += 1) {
    const at = await focused(page);
    if (at) {
      for (const wrong of at.wrong) problems.push(`${new URL(page.url()).pathname}: ${at.tag} “${at.name}”: ${wrong}`);
      if (await wanted(at)) return n;
      seen.push(at.name);
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`${page.url()}: ${most} stops and not there; met ${seen.slice(-40).join(' | ')}`);
}

/** One round of Tab through a page: every stop is seen, none holds the focus, the order goes on to the end. */
export async function round(page, problems, most = 400) {
  const met = new Set();
  let last = null, held = 0;
  const at = new URL(page.url()).pathname;
  // From the very first stop: a page that took the focus to its result would begin there.
  await page.evaluate(() => { document.querySelector('a[href], button')?.focus(); });
  for (let n = 0; n < most; n += 1) {
    if (n) await page.keyboard.press('Tab');
    const stop = await focused(page);
    // A date has stops within it, a player too; whoever comes back to the beginning has been everywhere.
    if (!stop || (met.has(stop.path) && stop.path !== last)) break;
    held = stop.path === last ? held + 1 : 0;
    if (held > 12) { problems.push(`${at}: ${stop.tag} “${stop.name}” holds the focus`); break; }
    last = stop.path;
    if (met.has(stop.path)) continue;
    met.add(stop.path);
    for (const wrong of stop.wrong) problems.push(`${at}: ${stop.tag} “${stop.name}”: ${wrong}`);
  }
  const all = await page.evaluate(() => [...document.querySelectorAll('a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex="0"]')]
    .filter((node) => !node.disabled && node.checkVisibility({ visibilityProperty: true }) && !node.closest('[inert]')).length);
  const radios = await page.evaluate(() => [...document.querySelectorAll('input[type=radio]')].length);
  if (met.size < all - radios && met.size < most) problems.push(`${at}: ${met.size} of ${all} stops were reached`);
  return met.size;
}
