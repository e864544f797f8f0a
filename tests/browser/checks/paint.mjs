// First contentful paint. The limit of time is held where the machine is idle; otherwise the figure is said.
import os from 'node:os';
import { Worker } from 'node:worker_threads';

/**
 * Whether the machine is ours: threads that do nothing but count get each a core to themselves. The load average would count the
 * browser of this very run.
 */
async function idle() {
  const count = `
    // Nanoseconds that this thread was on a core.
    const used = () => Number(require('node:fs').readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
    const [wall, cpu] = [performance.now(), used()];
    while (performance.now() - wall < 150);
    require('node:worker_threads').parentPort.postMessage((used() - cpu) / (performance.now() - wall));`;
  const shares = await Promise.all(Array.from({ length: os.availableParallelism() }, () => new Promise((done, fail) => {
    const worker = new Worker(count, { eval: true });
    worker.once('message', done);
    worker.once('error', fail);
  })));
  return Math.min(...shares) > 0.85;
}

/** The paint may come after the page counts as loaded. */
const first = (page) => page.evaluate(() => new Promise((seen) => {
  new PerformanceObserver((list) => {
    const paint = list.getEntriesByName('first-contentful-paint')[0];
    if (paint) seen(paint.startTime);
  }).observe({ type: 'paint', buffered: true });
}));

export async function check({ site, kinds, say, launch, town }) {
  const slow = [], medians = [];
  const before = await idle();
  const people = new Map();
  // Kept pages come from here, answers to forms are no loads of their own.
  for (const one of kinds.filter((one) => !one.kept && !one.form)) {
    if (!people.has(one.who)) people.set(one.who, await site.person(one.who));
    const { page } = people.get(one.who);
    const times = [];
    for (let n = 0; n < 5; n += 1) {
      await site.open(page, one, null);
      times.push(await first(page));
    }
    const median = times.sort((a, b) => a - b)[2];
    medians.push(median);
    if (!(median < 300)) slow.push(`${one.name}: ${Math.round(median)} ms`);
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
  const ours = before && await idle();
  if (!ours && (slow.length || cold >= 600)) say.skip(`first paint: ${figure}, fresh browser ${cold} ms; something else uses this machine (load ${os.loadavg()[0].toFixed(1)}), so its limits are not held`);
  else say.all('first paint below 0.3 s, of a fresh browser below 0.6 s', [...slow, ...(cold < 600 ? [] : [`fresh browser: ${cold} ms`])], `${figure}; fresh ${cold} ms`);
}
