// One way through all pages in Chinese and through one of each kind in English (FIELDSEAL_LONG: all). The checks that look at pages as
// they stand go together, so that a page is opened once for all of them: opening is most of what a look costs.
import { LANGUAGES, walk } from './site.mjs';

/** What no signed-in person meets. */
const OUTSIDE = [{ who: null, path: '/console/sign-in', outside: true }, { who: null, path: '/', outside: true }];

/**
 * Each of `looks` is what a check's `tour(given)` answers: `wants(one, lang)` says which pages it looks at (all where it has none),
 * `at(page, one, lang, answer)` looks at one, which stands open in a light window of 1280 px; `tell()` says what came of it.
 */
export async function tour({ site, pages, kinds, say }, looks) {
  const spent = new Map(looks.map(({ name }) => [name, 0]));
  const broken = new Map();
  for (const lang of LANGUAGES) {
    await walk(site, [...OUTSIDE, ...(lang === 'zh' ? pages : kinds)], async (page, one) => {
      const wanted = looks.filter(({ wants }) => wants?.(one, lang) ?? true);
      if (!wanted.length) return;
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.emulateMedia({ colorScheme: 'light' });
      const answer = await site.open(page, one, null);
      for (const { name, at } of wanted) {
        const begun = Date.now();
        try {
          await at(page, one, lang, answer);
        } catch (error) {
          broken.set(name, [...broken.get(name) ?? [], `${one.name} ${lang}: ${error.message.split('\n')[0]}`]);
        }
        spent.set(name, spent.get(name) + Date.now() - begun);
      }
    }, { options: { lang } });
  }
  for (const { name, tell } of looks) {
    if (broken.has(name)) say.all(`${name} looks at every page`, broken.get(name));
    await tell();
    console.log(`   ${name}: ${(spent.get(name) / 1000).toFixed(1)} s of two desks`);
  }
}
