// By keyboard alone, from sign-in to sign-out: every stop is seen, and after each step the focus is where reading goes on.
import { round } from '../focus.mjs';
import { story } from '../story.mjs';

export async function check({ site, pages, say, town }) {
  const problems = [];
  let stops = 0;
  const people = new Map();
  for (const one of pages) {
    if (!people.has(one.who)) people.set(one.who, await site.person(one.who));
    const { page } = people.get(one.who);
    await site.open(page, one.path, null);
    stops += await round(page, problems);
  }
  for (const { context } of people.values()) await context.close();
  say.all('every stop of Tab is seen and none holds the focus', problems, `${stops} stops`);
  await story({ site, say, town });
}
