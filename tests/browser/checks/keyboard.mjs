// By keyboard alone, from sign-in to sign-out: every stop is seen, and after each step the focus is where reading goes on.
import { round } from '../focus.mjs';
import { LANGUAGES, walk } from '../site.mjs';
import { story } from '../story.mjs';

export async function check({ site, kinds, say, town }) {
  const problems = [];
  let stops = 0;
  // Words are longer in English, but the stops are the same, so one page of each kind in one language shows them; the long run sees
  // both languages.
  for (const lang of process.env.FIELDSEAL_LONG ? LANGUAGES : ['zh']) {
    await walk(site, kinds, async (page, one) => {
      await site.open(page, one, null);
      stops += await round(page, problems);
    }, { options: { lang } });
  }
  say.all('every stop of Tab is seen and none holds the focus', problems, `${stops} stops`);
  await story({ site, say, town });
}
