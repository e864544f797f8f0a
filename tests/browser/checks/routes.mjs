// No page is forgotten: every route of the router that answers to GET was met by following links, and answered 200.
const BY_HAND = {
  // Met by checks of their own.
  '/console/sign-in': 'keyboard', '/console/act/sign/{token}': 'race', '/console/hearing/bundles/{job}': 'keyboard',
};

export async function check({ patterns, allPages, files, say }) {
  const met = new Set([...allPages, ...files].map((one) => one.route));
  const missing = patterns.map((one) => one.route).filter((route) => !met.has(route) && !BY_HAND[route]);
  say.all('every route of the console is reached by links', missing.map((route) => `never met: ${route}`), `${met.size} routes`);
  const bad = [...allPages, ...files].filter((one) => one.status !== 200 && one.status !== 206);
  say.all('every link leads somewhere', bad.map((one) => `${one.who} ${one.path}: ${one.status}`), allPages.length + files.length);
}
