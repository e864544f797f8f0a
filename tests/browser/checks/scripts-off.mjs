// Without scripts: every page reads, filters, pages and exports; what cannot work says so.
import { walk } from '../site.mjs';

export async function check({ site, pages, kinds, say, town }) {
  await reads(site, kinds, say);
  await works(site, pages, say, town);
}

async function reads(site, pages, say) {
  const problems = [];
  await walk(site, pages, async (page, one) => {
    await site.open(page, one, null);
    const h1 = (await page.locator('h1').allInnerTexts()).join();
    if (!h1.trim()) problems.push(`${one.name}: no heading`);
    if ((await page.locator('main').innerText()).trim().length < 20) problems.push(`${one.name}: nothing to read`);
    // A button that does nothing without scripts must be hidden or explained.
    const dead = await page.locator('button[type=button]:visible').count();
    if (dead) problems.push(`${one.name}: ${dead} buttons that need a script are shown`);
    // Signing is the one thing that needs a script: its form says so, and its button cannot be pressed.
    for (const form of await page.locator('form[data-sign], form[data-make-key]').all()) {
      if (!(await form.locator('[data-sign-missing]').isVisible())) problems.push(`${one.name}: nothing says that signing needs a script`);
      if (await form.locator('button').isEnabled()) problems.push(`${one.name}: the button can be pressed and does nothing`);
    }
  }, { options: { scripts: false } });
  say.all('everything reads without scripts', problems, pages.length);
}

async function works(site, pages, say, town) {
  const problems = [];
  const { context, page } = await site.person('supervisor', { scripts: false });
  const expect = (holds, what) => { if (!holds) problems.push(what); };
  const main = () => page.locator('main').innerText();
  const follow = (act) => Promise.all([page.waitForNavigation({ waitUntil: 'load' }), act()]);

  await site.open(page, '/console/cases');
  await page.fill('input[name=q] >> nth=0', town.hostile.plain);
  await follow(() => page.press('input[name=q] >> nth=0', 'Enter'));
  expect((await main()).includes(town.hostile.plain), 'search found nothing');

  // Filters are a form of their own, stay in the address, and are taken off one by one.
  await site.open(page, '/console/cases');
  const all = await page.locator('tbody tr').count();
  await page.selectOption('form.filters select[name=stage]', 'closed');
  await follow(() => page.locator('form.filters button').last().click());
  const closed = await page.locator('tbody tr').count();
  expect(closed < all && new URL(page.url()).searchParams.get('stage') === 'closed', `the filter left ${closed} of ${all} at ${page.url()}`);
  expect(await page.locator('.chip').count() === 1, 'the filter is not named above the list');
  await follow(() => page.locator('.chip').first().click());
  expect(await page.locator('tbody tr').count() === all, 'taking the filter off did not bring the list back');

  // A long list: to its end and back, each enterprise once.
  await site.open(page, '/console/enterprises');
  const met = [], sizes = [];
  for (let n = 0; n < 9; n += 1) {
    const names = await page.$$eval('tbody tr th a', (links) => links.map((one) => one.getAttribute('href')));
    met.push(...names);
    sizes.push(names.length);
    const next = page.locator('.pager a[rel=next]');
    if (!(await next.count())) break;
    await follow(() => next.click());
  }
  expect(sizes.length >= 2 && sizes[0] === 50 && new Set(met).size === met.length, `pages of ${sizes}, ${met.length - new Set(met).size} rows twice`);
  const total = Number((await page.locator('[role=status]').allInnerTexts()).join().match(/共 ([\d,]+) 项/)?.[1].replace(',', ''));
  expect(met.length === total, `${met.length} rows of ${total}`);
  await follow(() => page.locator('.pager a[rel=prev]').click());
  expect(await page.locator('tbody tr').count() === 50, 'the way back is another');

  // An export: begun by a form, looked at again by a link, fetched by a link.
  await site.open(page, `/console/hearing/${town.case}`);
  await follow(() => page.locator('main form[method=post] button.main').click());
  let looks = 0;
  for (; looks < 2_000 && !(await page.locator('main a[download]').count()); looks += 1) {
    const again = page.locator('#progress a');
    if (!(await again.count())) { problems.push(`the export came to nothing: ${(await main()).slice(0, 200)}`); break; }
    await follow(() => again.click());
  }
  const href = await page.locator('main a[download]').getAttribute('href').catch(() => null);
  const file = href && await context.request.get(site.at(href));
  expect(file?.status() === 200 && file.headers()['content-type'] === 'application/zip', `the bundle answered ${file?.status()}`);
  expect((await main()).includes('已锚定'), 'the result has no verdict');

  // What is signed reads whole; that it cannot be signed here is said.
  for (const one of pages.filter((one) => one.route === '/console/act/sign/{token}')) {
    if (one.who !== 'supervisor') continue;
    await site.open(page, one);
    expect((await main()).includes('签名要由浏览器运行脚本完成'), `${one.name}: nothing explains why it cannot be signed`);
    expect(await page.locator('main details').count() > 0 && await page.locator('main dl.pairs dd').count() > 0, `${one.name}: what would be signed is not shown`);
  }
  await context.close();
  say.all('filters, pages and exports without scripts', problems, `${looks} looks at the export`);
}
