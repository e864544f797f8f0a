// Without scripts: every page reads, filters and pages; what cannot work says so.
import { walk } from '../site.mjs';

export async function check({ site, pages, say, town }) {
  const problems = [];
  const options = { scripts: false };
  await walk(site, pages, async (page, one) => {
    await site.open(page, one.path, null);
    const h1 = (await page.locator('h1').allInnerTexts()).join();
    if (!h1.trim()) problems.push(`${one.path}: no heading`);
    if ((await page.locator('main').innerText()).trim().length < 20) problems.push(`${one.path}: nothing to read`);
    // A button that does nothing without scripts must be hidden or explained.
    const dead = await page.locator('button[type=button]:visible').count();
    if (dead) problems.push(`${one.path}: ${dead} buttons that need a script are shown`);
  }, { options });
  const { context, page } = await site.person('supervisor', options);
  await site.open(page, '/console/cases');
  await page.fill('input[name=q] >> nth=0', town.hostile.plain);
  await page.press('input[name=q] >> nth=0', 'Enter');
  if (!(await page.locator('main').innerText()).includes(town.hostile.plain)) problems.push('search found nothing');
  await context.close();
  say.all('everything reads without scripts', problems, pages.length);
}
