// By keyboard alone, from sign-in to sign-out: every stop is seen, and after each step the focus is where reading goes on.
import { round } from '../focus.mjs';
import { walk } from '../site.mjs';
import { story } from '../story.mjs';

export async function check({ site, pages, say, town }) {
  const problems = [];
  let stops = 0;
  await walk(site, pages, async (page, one) => {
    await site.open(page, one, null);
    const met = await round(page, problems);
    stops += met;
  });
  say.all('every stop of Tab is seen and none holds the focus', problems, `${stops} stops`);
  await story({ site, say, town });
}
