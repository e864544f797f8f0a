// Over the whole run: no request to another origin, no console error, no report of the content security policy.
export async function check({ site, pages, say }) {
  const reports = [];
  const people = new Map();
  for (const one of pages) {
    if (!people.has(one.who)) people.set(one.who, await site.person(one.who));
    const { page } = people.get(one.who);
    const answer = await site.open(page, one.path, null);
    const headers = answer.headers();
    for (const report of await page.evaluate(() => window.seen.reports)) reports.push(`${one.path}: ${report}`);
    for (const [name, value] of Object.entries(HEADERS)) {
      if (!(headers[name] ?? '').includes(value)) reports.push(`${one.path}: ${name} is ${headers[name]}`);
    }
  }
  for (const { context } of people.values()) await context.close();
  say.all('headers and policy', reports, pages.length);
  say.all('no request elsewhere, no error in the console', [...new Set(site.trouble)]);
}

const HEADERS = {
  'content-security-policy': "default-src 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=()',
  'cache-control': 'no-store',
};
