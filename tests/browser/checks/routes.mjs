// No page is forgotten: every route of the router that answers to GET was met by following links, and answered 200.

const BY_HAND = {
  // Met by everybody who signs in, and by checks of its own.
  '/console/sign-in': 'keyboard',
};

export async function check({ site, patterns, allPages, prepared, files, anchors, say }) {
  const met = new Set([...allPages, ...prepared.pages, ...files].map((one) => one.route));
  const missing = patterns.map((one) => one.route).filter((route) => !met.has(route) && !BY_HAND[route]);
  say.all('every route of the console is reached by links', missing.map((route) => `never met: ${route}`), `${met.size} routes`);
  const bad = [...allPages, ...files].filter((one) => one.status !== 200 && one.status !== 206);
  say.all('every link leads somewhere', bad.map((one) => `${one.who} ${one.name}: ${one.status}`), allPages.length + files.length);
  const { context, page } = await site.person('supervisor');
  await site.open(page, '/console/settings');
  const known = new Set(await page.$$eval('[id]', (all) => all.map((one) => one.id)));
  await context.close();
  const lost = [...anchors].filter((anchor) => !known.has(anchor)).map((anchor) => `no such term: ${anchor}`);
  if (anchors.size < 6) lost.push(`only ${anchors.size} terms are linked`);
  say.all('terms lead to the glossary', lost, `${anchors.size} terms`);
}
