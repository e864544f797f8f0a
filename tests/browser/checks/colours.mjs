// Forced colours and grey: every verdict is told by its shape and its word, with colour taken away.
import { walk } from '../site.mjs';

export async function check({ site, pages, say, town }) {
  const problems = [];
  let verdicts = 0;
  const options = { forcedColors: 'active' };
  await walk(site, pages.filter((one) => one.who === 'supervisor'), async (page, one) => {
    await site.open(page, one.path, null);
    const found = await page.evaluate(() => {
      const seen = (node) => node.getClientRects().length > 0;
      return [...document.querySelectorAll('.verdict, .verdict-tag')].filter(seen).map((node) => ({
        verdict: node.textContent.trim().slice(0, 20), words: node.textContent.trim(), shape: node.querySelector('svg path, svg circle, svg rect, svg line, svg polygon') !== null,
        stroke: [...node.querySelectorAll('svg *')].map((part) => getComputedStyle(part).stroke + getComputedStyle(part).fill).join(),
      }));
    });
    for (const { verdict, words, shape, stroke } of found) {
      verdicts += 1;
      if (!words) problems.push(`${one.path}: ${verdict} has no word`);
      if (!shape) problems.push(`${one.path}: ${verdict} has no shape`);
      if (shape && !/rgb/.test(stroke)) problems.push(`${one.path}: the shape of ${verdict} has no colour of its own in forced colours`);
    }
  }, { options });
  const { context, page } = await site.person('supervisor', options);
  const shown = pages.find((one) => one.route === '/console/cases/{case}');
  if (shown && town.pictures) {
    await site.open(page, shown.path);
    await page.screenshot({ path: `${town.pictures}/forced-colours.png`, fullPage: true });
    await page.emulateMedia({ forcedColors: 'none' });
    await page.evaluate(() => { document.documentElement.style.filter = 'grayscale(1)'; });
    await page.screenshot({ path: `${town.pictures}/grey.png`, fullPage: true });
  }
  await context.close();
  if (verdicts === 0) problems.push('no verdict was met');
  say.all('verdicts without colour', problems, `${verdicts} verdicts`);
}
