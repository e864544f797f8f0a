// Drives the console in Debian's Chromium over a town that `main.rs` has made. One line for each check: ok, FAIL or SKIPPED.
//
//   node run.mjs TOWN.json [CHECK…]
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { Site, crawl, pattern, routes } from './site.mjs';
import { states } from './states.mjs';
import { tour } from './tour.mjs';

const [townFile, ...only] = process.argv.slice(2);
const town = JSON.parse(fs.readFileSync(townFile, 'utf8'));
const require = createRequire(path.join(town.modules, 'node_modules/'));
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const CHECKS = ['routes', 'paint', 'live', 'weight', 'tour', 'scripts-off', 'hostile', 'figures', 'played', 'print', 'colours', 'keys', 'race', 'keyboard', 'quiet'];
/** Checks that look at pages as they stand; `tour` is all of them together. The last ones change the look of the page. */
const TOUR = ['states', 'headers', 'shift', 'words', 'honesty', 'axe', 'reflow'];
for (const name of only) if (![...CHECKS, ...TOUR].includes(name)) throw new Error(`no check is called ${name}: ${[...CHECKS, ...TOUR].join(' ')}`);
const begun = Date.now();
let failed = 0, passed = 0, skipped = 0;

/** What a check is given, and says. */
const say = {
  ok: (what) => { passed += 1; console.log(`ok ${what}`); },
  fail: (what) => { failed += 1; console.log(`FAIL ${what}`); },
  skip: (what) => { skipped += 1; console.log(`SKIPPED ${what}`); },
  /** All of `problems` under one name; none is good. */
  all: (name, problems, count) => {
    if (problems.length === 0) say.ok(`${name}${count === undefined ? '' : ` (${count})`}`);
    else {
      say.fail(`${name}: ${problems.length}`);
      for (const line of problems.slice(0, 40)) console.log(`     ${line}`);
      if (problems.length > 40) console.log(`     … and ${problems.length - 40} more`);
    }
  },
};

const launch = () => chromium.launch({ executablePath: town.chromium, args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb'] });
const browser = await launch();
try {
  const site = new Site(browser, town);
  const patterns = routes(town.root).map((route) => ({ route, expression: pattern(route) }))
    .sort((a, b) => a.route.split('{').length - b.route.split('{').length || b.route.length - a.route.length);
  const found = { pages: [], files: [], anchors: [] };
  // All at once, then in one order, so that the first who sees a page is the same in every run.
  const crawls = Object.entries(town.starts).map(([who, starts]) => crawl(site, who, patterns, starts));
  for (const { pages, files, anchors } of await Promise.all(crawls)) {
    found.anchors.push(...anchors);
    found.pages.push(...pages);
    found.files.push(...files);
  }
  // What no link leads to: confirm pages, answers to forms, errors, what is shown once.
  const prepared = await states(site, town, found.pages);
  found.files.push(...prepared.files);
  // A page is looked at once for each role that finds it: roles see different parts of one address.
  const first = new Map();
  for (const one of [...found.pages, ...prepared.pages]) {
    const key = `${one.who} ${one.path} ${one.state ?? ''}`;
    if (!first.has(key)) first.set(key, { ...one, name: [one.path, one.state, one.who].filter(Boolean).join(' · ') });
  }
  // One page of each kind: what differs from it by its id or by who looks is left to the checks of all pages, and to the long run.
  const kinds = [...first.values()].filter(((met) => (one) => {
    const kind = `${one.route ?? one.path} ${one.path.includes('?')} ${one.state ?? ''}`;
    return process.env.FIELDSEAL_LONG || (!met.has(kind) && met.add(kind));
  })(new Set()));
  const given = { kinds, site, town, axe, say, launch, patterns, pages: [...first.values()], allPages: found.pages, prepared, files: found.files, anchors: new Set(found.anchors) };
  console.log(`${given.pages.length} pages of ${patterns.length} routes, ${kinds.length} kinds, ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  for (const name of CHECKS) {
    const looks = name === 'tour' ? TOUR.filter((look) => !only.length || only.includes('tour') || only.includes(look)) : [];
    if (only.length && !only.includes(name) && !looks.length) continue;
    const start = Date.now();
    try {
      if (looks.length) {
        const made = looks.map(async (name) => ({ name, ...(await import(`./checks/${name}.mjs`)).tour(given) }));
        await tour(given, await Promise.all(made));
      } else {
        await (await import(`./checks/${name}.mjs`)).check(given);
      }
    } catch (error) {
      say.fail(`${name}: ${error.stack ?? error}`);
    }
    console.log(`   ${name}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
  }
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped, ${((Date.now() - begun) / 1000).toFixed(0)} s`);
process.exit(failed ? 1 : 0);
