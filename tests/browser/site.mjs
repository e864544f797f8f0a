// The browser, the contexts of people, and the pages they meet.
import fs from 'node:fs';
import path from 'node:path';

/** Looks that every page is checked in. */
export const LANGUAGES = ['zh', 'en'];

/** What a page records about itself from its first moment on: layout shifts and reports of the content security policy. */
const WATCH = () => {
  window.seen = { shift: 0, shifts: [], reports: [] };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      window.seen.shift += entry.value;
      window.seen.shifts.push(entry.sources?.map((one) => one.node?.nodeName + '.' + one.node?.className).join(' '));
    }
  }).observe({ type: 'layout-shift', buffered: true });
  document.addEventListener('securitypolicyviolation', (event) => {
    window.seen.reports.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
  });
};

/** A town's server in one browser. */
export class Site {
  constructor(browser, town) {
    this.browser = browser;
    this.town = town;
    this.origin = new URL(town.url).origin;
    /** The language of each context, and the pages on which an answer is replaced by one that was kept. */
    this.languages = new WeakMap();
    this.routed = new WeakSet();
    /** Requests elsewhere, console errors, reports: collected over the whole run, looked at in the end. */
    this.trouble = [];
    /** Statuses that a check expects, by URL: those are no trouble. */
    this.expected = new Set();
  }

  /** A context of its own: cookies, language, storage. */
  async context(options = {}) {
    const { lang = 'zh', scripts = true, ...rest } = options;
    const context = await this.browser.newContext({
      ignoreHTTPSErrors: true,
      javaScriptEnabled: scripts,
      locale: lang === 'zh' ? 'zh-CN' : 'en-GB',
      timezoneId: 'Asia/Shanghai',
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      ...rest,
    });
    context.setDefaultTimeout(60_000);
    this.languages.set(context, lang);
    if (scripts) await context.addInitScript(WATCH);
    context.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(this.origin) && !/^(data|blob|about):/.test(url)) this.trouble.push(`request elsewhere: ${url}`);
    });
    context.on('weberror', (error) => this.trouble.push(`script error: ${error.error()}`));
    context.on('console', (message) => {
      const where = message.location().url || '';
      // A page that is refused on purpose is no error; whatever else it says there is.
      const refused = /Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());
      if (message.type() !== 'error' || (refused && [...this.expected].some((part) => where.includes(part)))) return;
      this.trouble.push(`console error on ${where}: ${message.text()}`);
    });
    return context;
  }

  /** A person who is signed in, with one page open. */
  async person(who, options = {}) {
    const context = await this.context(options);
    const page = await context.newPage();
    await this.signIn(page, who);
    return { context, page, who };
  }

  async signIn(page, who) {
    const { user, password } = this.town.people[who];
    await page.goto(this.at('/console/sign-in'));
    await page.fill('input[name=user]', user);
    await page.fill('input[name=password]', password);
    await Promise.all([page.waitForURL((url) => !url.pathname.endsWith('/sign-in')), page.press('input[name=password]', 'Enter')]);
  }

  at(path) {
    return path.startsWith('http') ? path : this.origin + path;
  }

  /**
   * Opens a page, by its address or as the crawl and `states.mjs` describe it; it must answer with `status`, or with any where that
   * is null. Some pages are the answer to a form (`form`), some were kept as the server sent them (`kept`), for they pass by.
   */
  async open(page, one, status = 200) {
    await this.approach(page, one);
    return this.arrive(page, one, status);
  }

  /** Goes where the way to a page begins; what is measured begins afterwards. */
  async approach(page, one) {
    if (one.form) await page.goto(this.at(one.form.at ?? one.path), { waitUntil: 'load' });
    if (this.routed.delete(page)) await page.unrouteAll();
    const kept = one.kept?.[this.languages.get(page.context())];
    if (!kept) return;
    this.routed.add(page);
    const { fragment, ...whole } = kept;
    const swaps = (route) => route.request().headers()['hx-request'] !== undefined;
    await page.route((url) => url.pathname + url.search === one.path || (fragment && fragment.includes(`hx-get="${url.pathname + url.search}"`)),
      (route) => route.fulfill(fragment && swaps(route) ? { ...whole, body: fragment } : whole));
  }

  async arrive(page, one, status = 200) {
    const path = one.path ?? one;
    const answer = one.form ? await send(page, one.form) : await page.goto(this.at(path), { waitUntil: 'load' });
    if (status && answer.status() !== status) throw new Error(`${path} answered ${answer.status()}`);
    return answer;
  }
}

/** Sends a form as its page would, whatever its page requires; gives the answer that is shown in the end. */
async function send(page, { action, fields }) {
  const values = typeof fields === 'function' ? fields() : fields;
  const [answer] = await Promise.all([
    page.waitForNavigation({ waitUntil: 'load' }),
    page.evaluate(([action, values]) => {
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', action });
      for (const [name, value] of values) {
        const input = document.createElement('input');
        Object.assign(input, { type: 'hidden', name, value });
        form.append(input);
      }
      document.body.append(form);
      form.submit();
    }, [action, values]),
  ]);
  return answer;
}

/**
 * Has `look(page, one)` see each of `pages`, signed in as whoever found it (nobody where `who` is null), with two desks at work,
 * because the machine has two cores at least. `desk` prepares a person's page once.
 */
export async function walk(site, pages, look, { options = {}, desk = () => {} } = {}) {
  const waiting = [...pages];
  const work = async () => {
    const people = new Map();
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      one.name ??= one.path;
      if (!people.has(one.who)) {
        const page = one.who ? (await site.person(one.who, options)).page : await (await site.context(options)).newPage();
        await desk(page);
        people.set(one.who, page);
      }
      await look(people.get(one.who), one);
    }
    for (const page of people.values()) await page.context().close();
  };
  await Promise.all([work(), work()]);
}

/** The routes of the console that answer to GET, read from the router's own source. */
export function routes(root) {
  const found = new Set();
  const walk = (folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const at = path.join(folder, entry.name);
      if (entry.isDirectory()) walk(at);
      else if (entry.name.endsWith('.rs')) {
        const source = fs.readFileSync(at, 'utf8');
        for (const [, route, handler] of source.matchAll(/\.route\(\s*"(\/[^"]*)"\s*,\s*((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g)) {
          if (/\bget\(/.test(handler) && !/Redirect::/.test(handler) && route.startsWith('/console')) found.add(route);
        }
      }
    }
  };
  walk(path.join(root, 'sync-server/src/console'));
  return [...found].sort();
}

/** A route's pattern as a regular expression over paths. */
export function pattern(route) {
  const text = route.split(/(\{[^}]*\})/).map((part) => {
    if (part.startsWith('{*')) return '.+';
    if (part.startsWith('{')) return '[^/]+';
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${text.join('')}$`);
}

/**
 * Follows every link that a person finds, at most `most` pages of one route. The result is what all checks walk over:
 * `{ who, path, route }`. Files (originals, zips, CSV) are remembered apart, and so are the terms that lead to the glossary.
 */
export async function crawl(site, who, patterns, starts, most = 2) {
  const { context, page } = await site.person(who);
  const pages = [], files = [], anchors = [], counts = new Map(), seen = new Set();
  const waiting = [...starts, new URL(page.url()).pathname];
  while (waiting.length) {
    const path = waiting.shift();
    const bare = path.split(/[?#]/)[0];
    const key = path.split('#')[0];
    if (seen.has(key) || bare.endsWith('/sign-out')) continue;
    seen.add(key);
    const route = patterns.find((one) => one.expression.test(bare))?.route;
    if (!route) continue;
    // A page of the same route with another query counts as another look, a few are enough. Every work list is a page of its own.
    const each = route.replace('{list}', bare.split('/').at(-1));
    const name = each + (path.includes('?') ? '?' : '');
    if ((counts.get(name) ?? 0) >= (each.includes('{') && !path.includes('?') ? most : 1)) continue;
    const answer = await context.request.get(site.at(path), { maxRedirects: 0 });
    const type = answer.headers()['content-type'] ?? '';
    if (answer.status() >= 300 && answer.status() < 400) {
      files.push({ who, path, route, type: 'redirect', status: 200 });
      waiting.push(new URL(answer.headers().location, site.origin).pathname);
      continue;
    }
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (!type.startsWith('text/html')) {
      files.push({ who, path, route, type, status: answer.status() });
      continue;
    }
    pages.push({ who, path, route, status: answer.status() });
    await page.goto(site.at(path));
    const links = await page.$$eval('a[href], img[src], video[src], source[src], audio[src]', (all) =>
      all.map((one) => one.href || one.src || one.currentSrc));
    for (const link of links) {
      const url = new URL(link, site.origin);
      if (url.pathname === '/console/settings' && url.hash) anchors.push(url.hash.slice(1));
      if (url.origin === site.origin && !url.searchParams.has('lang')) waiting.push(url.pathname + url.search);
    }
  }
  await context.close();
  return { pages, files, anchors };
}
