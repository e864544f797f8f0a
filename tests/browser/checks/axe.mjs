// axe-core, each page in two languages, light and dark, 1280 and 320 px wide: no violation of any impact.
import { LANGUAGES } from '../site.mjs';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export async function check({ site, pages, axe, say, town }) {
  const problems = [];
  let runs = 0;
  const signIn = { who: null, path: '/console/sign-in' };
  for (const lang of LANGUAGES) {
    const people = new Map();
    for (const one of [signIn, ...pages]) {
      if (!people.has(one.who)) {
        people.set(one.who, one.who ? await site.person(one.who, { lang }) : { page: await (await site.context({ lang })).newPage() });
      }
      const { page } = people.get(one.who);
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.emulateMedia({ colorScheme: 'light' });
      await site.open(page, one.path, null);
      await page.evaluate(axe);
      for (const width of [1280, 320]) {
        await page.setViewportSize({ width, height: 900 });
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          const result = await page.evaluate((tags) => axe.run(document, {
            runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'],
          }), TAGS);
          runs += 1;
          for (const violation of result.violations) {
            const where = violation.nodes.slice(0, 3).map((node) => `${node.target} ${node.any?.[0]?.message ?? ''}`).join(' | ');
            problems.push(`${one.path} ${lang} ${colorScheme} ${width}: ${violation.id} (${violation.impact}) ${where}`);
          }
        }
      }
      if (town.pictures && lang === 'zh') await picture(page, town, one);
    }
    for (const { page } of people.values()) await page.context().close();
  }
  say.all('axe finds no violation', problems, `${runs} runs`);
}

/** For people to look at: wide and light, narrow and dark. */
async function picture(page, town, one) {
  const name = one.path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID').replace(/[^\w-]+/g, '_').slice(0, 80);
  for (const [width, colorScheme] of [[1280, 'light'], [320, 'dark']]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${town.pictures}/${name}-${width}.png`, fullPage: true });
  }
}
