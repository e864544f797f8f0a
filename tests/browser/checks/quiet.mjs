// Over the whole run: no request to another origin, no console error, no report of the content security policy.
import { walk } from '../site.mjs';

export async function check({ site, pages, say }) {
  const reports = [];
  await walk(site, pages, async (page, one) => {
    const answer = await site.open(page, one.path, null);
    const headers = answer.headers();
    for (const report of await page.evaluate(() => window.seen.reports)) reports.push(`${one.path}: ${report}`);
    for (const [name, value] of Object.entries(HEADERS)) {
      if (!(headers[name] ?? '').includes(value)) reports.push(`${one.path}: ${name} is ${headers[name]}`);
    }
  });
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
