// By keyboard alone, from sign-in to sign-out: every stop is seen, and after each step the focus is where reading goes on.
import { round } from '../focus.mjs';
import { walk } from '../site.mjs';
import { story } from '../story.mjs';

export async function check({ site, pages, say, town }) {
  const problems = [];
  let stops = 0;
  // Words are longer in English, but the stops are the same: one page of each kind shows that.
  const routes = new Set();
  const kinds = pages.filter((one) => one.route && !routes.has(one.route) && routes.add(one.route));
  for (const [lang, seen] of [['zh', pages], ['en', kinds]]) {
    await walk(site, seen, async (page, one) => {
      await site.open(page, one, null);
      stops += await round(page, problems);
    }, { options: { lang } });
  }
  say.all('every stop of Tab is seen and none holds the focus', problems, `${stops} stops`);
  await story({ site, say, town });
}
