// Films and sound play and seek in the browser, read by ranges from encrypted storage.

export async function check({ site, say, town }) {
  const problems = [];
  const { context, page } = await site.person('supervisor');
  const gallery = `/console/cases/${town.case}/evidence`;
  await site.open(page, `${gallery}?view=list`);
  const sound = await soundOf(site, page, gallery);
  for (const [what, path, selector] of [['a film', `${gallery}/${town.film}`, 'video'], ['sound', sound, 'audio']]) {
    if (!path) { problems.push(`${what}: the case has none`); continue; }
    const answers = [];
    const heard = (answer) => answers.push({ url: answer.url(), status: answer.status(), range: answer.request().headers().range, from: answer.headers()['content-range'] });
    page.on('response', heard);
    await site.open(page, path);
    const player = page.locator(selector);
    if (!(await player.count())) { problems.push(`${what}: no player on its page`); continue; }
    // By its own address: what the page before reads ahead may still be answered while this one is opened.
    const source = await player.evaluate((media) => media.currentSrc || media.src || media.querySelector('source')?.src);
    const asked = () => answers.filter(({ url }) => url === source);
    if (asked().length) problems.push(`${what}: fetched before anybody plays it, which would be an opening in the log`);
    // By keyboard, as a person does: focus, space.
    await player.focus();
    await page.keyboard.press('Space');
    const begun = await state(player, 'playing');
    if (begun.error || begun.readyState < 3) problems.push(`${what}: does not play: ${JSON.stringify(begun)}`);
    await player.evaluate((media) => new Promise((seen) => {
      const look = () => (media.currentTime > 0.2 || media.ended ? seen() : media.addEventListener('timeupdate', look, { once: true }));
      look();
    }));
    const first = asked().length;
    const to = begun.duration * 0.9;
    const sought = await player.evaluate((media, to) => new Promise((seen) => {
      media.addEventListener('seeked', () => seen({ at: media.currentTime, readyState: media.readyState, error: media.error?.message }), { once: true });
      media.pause();
      media.currentTime = to;
    }), to);
    if (sought.error || Math.abs(sought.at - to) > 0.6 || sought.readyState < 2) problems.push(`${what}: seeking to ${to.toFixed(1)} s came to ${JSON.stringify(sought)}`);
    if (!asked().length || asked().some(({ status, range }) => status !== 206 || !/^bytes=\d+-/.test(range ?? ''))) problems.push(`${what}: not read by ranges: ${JSON.stringify(asked())}`);
    // A film is longer than what is read ahead, so its end is another range.
    if (selector === 'video' && !asked().slice(first).some(({ from }) => Number(from?.match(/bytes (\d+)/)?.[1]) > 1_000_000)) problems.push(`${what}: seeking asked for no later range: ${JSON.stringify(asked())}`);
    if (selector === 'video' && !(await drawnFrame(player))) problems.push(`${what}: nothing is drawn`);
    page.off('response', heard);
  }
  await context.close();
  say.all('films and sound play and seek', problems, 2);
}

/** The page of a recording, by the list of the case's evidence. */
async function soundOf(site, page, gallery) {
  const items = await page.$$eval('main a[href*="/evidence/"]', (all) => [...new Set(all.map((one) => new URL(one.href).pathname))]);
  for (const path of items.filter((path) => path.startsWith(`${gallery}/`))) {
    await site.open(page, path);
    if (await page.locator('audio').count()) return path;
  }
  return null;
}

const state = (player, event) => player.evaluate((media, event) => new Promise((seen) => {
  const told = () => seen({ duration: media.duration, readyState: media.readyState, error: media.error?.message });
  if (!media.paused && media.readyState > 2) return told();
  media.addEventListener(event, told, { once: true });
  media.addEventListener('error', told, { once: true });
}), event);

/** Whether the film's picture has more than one colour. */
const drawnFrame = (player) => player.evaluate((media) => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [16, 12];
  const to = canvas.getContext('2d');
  to.drawImage(media, 0, 0, 16, 12);
  return new Set(to.getImageData(0, 0, 16, 12).data).size > 8;
});
