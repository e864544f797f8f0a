// Without scripts: every page reads, filters and pages; what cannot work says so.
export async function check({ site, pages, say, town }) {
  const problems = [];
  const people = new Map();
  for (const one of pages) {
    if (!people.has(one.who)) people.set(one.who, await site.person(one.who, { scripts: false }));
    const { page } = people.get(one.who);
    await site.open(page, one.path, null);
    const h1 = (await page.locator('h1').allInnerTexts()).join();
    if (!h1.trim()) problems.push(`${one.path}: no heading`);
    if ((await page.locator('main').innerText()).trim().length < 20) problems.push(`${one.path}: nothing to read`);
    // A button that does nothing without scripts must be hidden or explained.
    const dead = await page.locator('button[type=button]:visible').count();
    if (dead) problems.push(`${one.path}: ${dead} buttons that need a script are shown`);
  }
  const { page } = people.get('supervisor');
  await site.open(page, '/console/cases');
  await page.fill('input[name=q] >> nth=0', town.hostile.plain);
  await page.press('input[name=q] >> nth=0', 'Enter');
  if (!(await page.locator('main').innerText()).includes(town.hostile.plain)) problems.push('search found nothing');
  for (const { context } of people.values()) await context.close();
  say.all('everything reads without scripts', problems, pages.length);
}
