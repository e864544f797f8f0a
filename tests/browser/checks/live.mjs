// What changes by itself moves nothing that is read, and takes the focus from nobody.

export async function check({ site, say }) {
  const problems = [];
  for (const lang of ['zh', 'en']) {
    for (const width of [1280, 320]) {
      const { context, page } = await site.person('supervisor', { lang });
      await page.setViewportSize({ width, height: 900 });
      // The next counts are as long as counts get in an agency.
      await page.route('**/console/worklist/*', async (route) => {
        if (route.request().headers()['hx-request'] === undefined) return route.continue();
        const answer = await route.fetch();
        return route.fulfill({ response: answer, body: (await answer.text()).replace(/(class="count">)(\d+)/g, '$112$2') });
      });
      for (const list of ['conflicts', 'late']) {
        await site.open(page, `/console/worklist/${list}`);
        const at = `${list} ${lang} ${width}`;
        const link = page.locator('main table a').first();
        await link.focus();
        const place = await link.evaluate((node) => node.getBoundingClientRect().top);
        const swapped = page.evaluate(() => new Promise((seen) => document.addEventListener('htmx:after:swap', seen, { once: true })));
        const said = page.waitForResponse((answer) => answer.request().headers()['hx-request'] !== undefined, { timeout: 10_000 });
        // What happens once a minute while somebody looks.
        await page.evaluate(() => document.querySelectorAll('[data-poll]').forEach((node) => node.dispatchEvent(new Event('refresh'))));
        if ((await said).status() !== 200) problems.push(`${at}: the counts answered ${(await said).status()}`);
        await swapped;
        // The observer hears of a shift with the frame after it.
        await page.evaluate(() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen))));
        const counts = await page.locator('.tabs .count').allInnerTexts();
        if (counts.length !== 6 || !counts.every((count) => /^12\d+$/.test(count))) problems.push(`${at}: the new counts are not shown: ${counts}`);
        const { shift, shifts } = await page.evaluate(() => window.seen);
        if (shift >= 0.01) problems.push(`${at}: the page moved by ${shift.toFixed(4)} (${shifts.slice(0, 3)})`);
        if (await link.evaluate((node) => node.getBoundingClientRect().top) !== place) problems.push(`${at}: the row that has the focus moved`);
        if (!(await link.evaluate((node) => document.activeElement === node))) problems.push(`${at}: the focus is gone`);
      }
      await context.close();
    }
  }
  // Nobody polls while nobody looks.
  say.all('new counts move nothing', problems, 8);
}
