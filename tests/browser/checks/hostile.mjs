// Names that are markup, turn the reading direction, are very long or have a glyph that no font has: escaped, isolated, wrapped.
export async function check({ site, say, town }) {
  const problems = [];
  let met = 0;
  for (const lang of ['zh', 'en']) met += await meet(site, town, lang, problems);
  say.all('hostile names and addresses', problems, `${met} names met`);
}

async function meet(site, town, lang, problems) {
  const { context, page } = await site.person('supervisor', { lang });
  page.on('dialog', (dialog) => { problems.push(`a dialog opened: ${dialog.message()}`); dialog.dismiss(); });
  const paths = new Set();
  let met = 0;
  for (const [key, name] of Object.entries(town.hostile)) {
    for (const list of ['/console/cases', '/console/enterprises']) {
      await site.open(page, `${list}?q=${encodeURIComponent(key === 'markup' ? 'alert' : name.replace(/[\u202a-\u202e]/g, '').slice(0, 20))}`, null);
      paths.add(page.url());
      const shown = await page.evaluate((wanted) => {
        const bare = (text) => text.replace(/\s+/g, '');
        const holds = [...document.querySelectorAll('bdi')].filter((node) => bare(node.textContent).includes(bare(wanted)));
        const loose = [...document.querySelectorAll('main *')].filter((node) =>
          [...node.childNodes].some((child) => child.nodeType === 3 && bare(child.data).includes(bare(wanted))) && !node.closest('bdi,input,textarea,option,title'));
        return { isolated: holds.length, loose: loose.map((node) => node.outerHTML.slice(0, 160)), href: holds[0]?.closest('a')?.getAttribute('href') };
      }, name);
      for (const html of shown.loose) problems.push(`${list}: ${key} stands outside bdi: ${html}`);
      if (!shown.isolated) problems.push(`${list}: ${key} is not found`);
      met += shown.isolated;
      if (shown.href) paths.add(site.at(shown.href));
    }
  }
  for (const url of paths) {
    await page.goto(url);
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: 900 });
      const [wide, narrow] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      if (wide > narrow) problems.push(`${url} at ${width}: ${wide} > ${narrow}`);
    }
    if (await page.locator('main script, main img[onerror]').count()) problems.push(`${url}: markup of a name became markup`);
    if (town.pictures && /enterprises|cases/.test(url)) await page.screenshot({ path: `${town.pictures}/hostile-${paths.size}-${met}.png`, fullPage: true });
  }
  // What is not there, and what nobody may see, are one answer; what a stranger types into an address is shown as text.
  site.expected.add('/console/no-such');
  site.expected.add('/console/cases/');
  for (const path of ['/console/no-such/%3Cscript%3E', '/console/cases/00000000-0000-7000-8000-000000000000', '/console/cases/%2e%2e%2fetc']) {
    const answer = await page.goto(site.at(path));
    if (answer.status() !== 404) problems.push(`${path}: ${answer.status()}`);
    if (await page.locator('main script').count()) problems.push(`${path}: an address became markup`);
  }
  for (const query of ['%3Cscript%3Ealert(1)%3C/script%3E', "'%22%3E%3Cb%3E", '%00', '%EF%BF%BF', 'a'.repeat(3000), '%22%20OR%201=1', '*', 'NEAR(']) {
    const answer = await page.goto(site.at(`/console/cases?q=${query}`));
    if (answer.status() >= 500) problems.push(`search for ${query.slice(0, 30)}: ${answer.status()}`);
    if (await page.locator('main b, main script').count() && query.includes('%3C')) problems.push(`search for ${query.slice(0, 30)} became markup`);
  }
  await context.close();
  return met;
}
