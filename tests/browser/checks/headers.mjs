// Every header of a page, whole, also those of originals; no report of the content security policy.

export function tour({ site, files, say }) {
  const reports = [];
  let seen = 0;
  const at = async (page, one, lang, answer) => {
    seen += 1;
    const headers = answer.headers();
    for (const report of await page.evaluate(() => window.seen.reports)) reports.push(`${one.name}: ${report}`);
    for (const [name, value] of Object.entries(HEADERS)) {
      if (headers[name] !== value) reports.push(`${one.name}: ${name} is ${headers[name]}`);
    }
    if (headers['strict-transport-security']) reports.push(`${one.name}: a browser would remember the certificate of the first day`);
  };
  const tell = async () => {
    await originals(site, files, reports);
    say.all('headers and policy', reports, seen);
  };
  return { wants: (one) => !one.outside, at, tell };
}

/** Evidence has headers of its own: nothing in it may run, load, post or be framed. */
async function originals(site, files, reports) {
  const { context } = await site.person('supervisor');
  const shown = files.filter((one) => one.route === '/console/originals/{sha256}').slice(0, 4);
  for (const one of shown) {
    const headers = (await context.request.get(site.at(one.path), { headers: { range: 'bytes=0-9' } })).headers();
    for (const [name, value] of Object.entries({ ...HEADERS, ...ORIGINAL })) {
      if (headers[name] !== value) reports.push(`${one.path}: ${name} is ${headers[name]}`);
    }
    if (!/^(inline|attachment); /.test(headers['content-disposition'])) reports.push(`${one.path}: is ${headers['content-disposition']}`);
    if (!/^bytes 0-9\/\d+$/.test(headers['content-range'])) reports.push(`${one.path}: a part says ${headers['content-range']}`);
  }
  await context.close();
  if (!shown.length) reports.push('no original was met');
}

/** Whole, so that whatever is left out or added is seen. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; font-src 'self'; "
    + "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; "
    + "require-trusted-types-for 'script'; trusted-types default",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
  'cache-control': 'no-store',
  vary: 'HX-Request, Accept-Language, Cookie',
};
const ORIGINAL = { 'content-security-policy': "sandbox; default-src 'none'", 'cache-control': 'private, no-store', 'accept-ranges': 'bytes' };
