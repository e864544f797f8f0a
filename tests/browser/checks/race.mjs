// Two supervisors decide one conflict: the second gets a page that says so, with her own words kept.
import { enrol } from '../story.mjs';

export async function check({ site, say, town }) {
  const problems = [];
  site.expected.add('/console/act/');
  const people = [];
  for (const [who, lang] of [['supervisor', 'zh'], ['second', 'en']]) {
    const person = await site.person(who, { lang });
    await enrol(site, town, person.page, problems);
    people.push(person);
  }
  const words = ['甲说：以照片为准', 'B says: what was seen at the re-inspection'];
  await site.open(people[0].page, '/console/worklist/conflicts');
  const href = await people[0].page.locator('a[href*="/act/decide"]').last().getAttribute('href');
  for (const [n, { page }] of people.entries()) {
    await site.open(page, href);
    await page.locator('input[type=radio]').nth(n).check();
    await page.fill('#reason', words[n]);
    await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.click('form[data-guard] button.main')]);
    await page.waitForSelector('form[data-sign] button:not([disabled])');
  }
  const statuses = [];
  for (const { page } of people) {
    const posted = page.waitForResponse((answer) => answer.request().method() === 'POST' && answer.url().includes('/act/sign/'));
    await Promise.all([posted, page.waitForNavigation({ waitUntil: 'load' }), page.click('form[data-sign] button')]);
    statuses.push((await posted).status());
  }
  if (statuses[0] !== 303) problems.push(`the first was answered ${statuses[0]}`);
  if (statuses[1] !== 409) problems.push(`the second was answered ${statuses[1]}`);
  const said = await people[1].page.locator('main').innerText();
  if (!said.includes(words[1])) problems.push('the words of the second are gone');
  if (!/Somebody else was first|was faster|already/i.test(said)) problems.push(`the second is told: ${said.slice(0, 200)}`);
  // Where the page offers what stands now, it leads there.
  const latest = people[1].page.locator('main a[href^="/console/act/decide"], main a[href^="/console/cases/"]');
  if (await latest.count()) {
    const [answer] = await Promise.all([people[1].page.waitForNavigation({ waitUntil: 'load' }), latest.first().click()]);
    if (answer.status() !== 200 || await people[1].page.locator('form[data-guard] input[type=radio]').count()) problems.push(`the latest is ${answer.url()}: ${answer.status()}`);
  }
  for (const { context } of people) await context.close();
  say.all('two supervisors race', problems);
}
