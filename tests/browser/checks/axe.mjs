// axe-core, each page in two languages, light and dark, 1280 and 320 px wide: no violation of any impact.
//
// Eight conditions for each page are for FIELDSEAL_LONG. Otherwise a page of each kind sees four of them, in which every two of the
// three properties meet in each of their combinations: a fault that takes all three at once (Chinese, dark and narrow, say) is for the
// long run. What differs from such a page by its id, by who looks or by a sentence is looked at once.

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const LOOKS = {
  zh: [[1280, 'light'], [320, 'dark']],
  en: [[1280, 'dark'], [320, 'light']],
};
const ALL = [[1280, 'light'], [1280, 'dark'], [320, 'light'], [320, 'dark']];

export function tour({ kinds, axe, say, town }) {
  const problems = [];
  let runs = 0;
  // What differs from a page that is seen in full by a sentence or a link: forms that came back, further pages of a kind.
  const full = new Set(kinds.filter((one) => !/ came back$/.test(one.state)));
  const at = async (page, one, lang) => {
    await page.evaluate(axe);
    const looks = process.env.FIELDSEAL_LONG ? ALL : full.has(one) || one.outside ? LOOKS[lang] : LOOKS[lang].slice(0, 1);
    for (const [width, colorScheme] of looks) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      // Everything comes from one origin and stands in the page: nothing is to be fetched before it is judged.
      const result = await page.evaluate((tags) => axe.run(document, {
        runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'], preload: false,
      }), TAGS);
      runs += 1;
      for (const violation of result.violations) {
        const where = violation.nodes.slice(0, 3).map((node) => `${node.target} ${node.any?.[0]?.message ?? ''}`).join(' | ');
        problems.push(`${one.name} ${lang} ${colorScheme} ${width}: ${violation.id} (${violation.impact}) ${where}`);
      }
    }
    if (town.pictures && lang === 'zh') await picture(page, town, one);
  };
  return { at, tell: () => say.all('axe finds no violation', problems, `${runs} runs`) };
}

/** For people to look at: wide and light, narrow and dark. */
async function picture(page, town, one) {
  const name = one.name.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32,}/g, 'ID').replace(/(%[0-9A-F]{2})+/g, '').replace(/[^\w-]+/g, '_').slice(0, 100);
  for (const [width, colorScheme] of [[1280, 'light'], [320, 'dark']]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${town.pictures}/${name}-${width}.png`, fullPage: true });
  }
}
