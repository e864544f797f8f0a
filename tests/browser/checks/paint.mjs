// First contentful paint and layout shift. The limit of time is held where the machine is idle; otherwise the figure is said.
import os from 'node:os';

/** The paint may come after the page counts as loaded. */
const first = (page) => page.evaluate(() => new Promise((seen) => {
  new PerformanceObserver((list) => {
    const paint = list.getEntriesByName('first-contentful-paint')[0];
    if (paint) seen(paint.startTime);
  }).observe({ type: 'paint', buffered: true });
}));

export async function check({ site, pages, say, launch, town }) {
  const shifts = [], slow = [], medians = [];
  const busy = os.loadavg()[0] > os.cpus().length * 0.75;
  const people = new Map();
  for (const one of pages) {
    if (!people.has(one.who)) people.set(one.who, await site.person(one.who));
    const { page } = people.get(one.who);
    const times = [];
    for (let n = 0; n < 5; n += 1) {
      await site.open(page, one.path, null);
      times.push(await first(page));
    }
    const median = times.sort((a, b) => a - b)[2];
    medians.push(median);
    if (!(median < 300)) slow.push(`${one.path}: ${Math.round(median)} ms`);
    const { shift, shifts: moved } = await page.evaluate(() => window.seen);
    if (shift >= 0.01) shifts.push(`${one.path}: ${shift.toFixed(4)} (${moved.slice(0, 3)})`);
  }
  for (const { context } of people.values()) await context.close();
  medians.sort((a, b) => a - b);
  const figure = `median ${Math.round(medians[0])} to ${Math.round(medians.at(-1))} ms`;
  const fresh = await launch();
  const context = await fresh.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(`${town.url}/console/sign-in`);
  const cold = Math.round(await first(page));
  await fresh.close();
  if (busy && (slow.length || cold >= 600)) say.skip(`first paint: ${figure}, fresh browser ${cold} ms; the machine is busy (load ${os.loadavg()[0].toFixed(1)}), so no limit is held`);
  else say.all('first paint below 0.3 s, of a fresh browser below 0.6 s', [...slow, ...(cold < 600 ? [] : [`fresh browser: ${cold} ms`])], `${figure}; fresh ${cold} ms`);
  say.all('no layout shift while loading', shifts, pages.length);
}
