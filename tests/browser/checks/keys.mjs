// Single keys: each does what the settings say, none while somebody writes or composes, none at all once they are switched off.

export async function check({ site, say, pages }) {
  const problems = [];
  const { context, page } = await site.person('supervisor');
  const expect = (holds, what) => { if (!holds) problems.push(what); };
  const at = () => new URL(page.url()).pathname;
  const focus = (selector) => page.evaluate((one) => document.activeElement?.matches(one) ?? false, selector);
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  const leads = async (path, ...keys) => {
    const [answer] = await Promise.all([page.waitForNavigation({ waitUntil: 'load', timeout: 5_000 }).catch(() => null), press(...keys)]);
    expect(answer && at().startsWith(path), `${keys.join(' ')} led to ${at()}, not to ${path}`);
  };
  const set = async (on) => {
    await site.open(page, '/console/settings');
    await page.locator('#shortcuts').setChecked(on);
    await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.locator('form:has(#shortcuts) button').press('Enter')]);
  };

  await set(true);
  await site.open(page, '/console/worklist/conflicts');
  const row = () => page.evaluate(() => [...document.querySelectorAll('[data-row]')].findIndex((one) => one.contains(document.activeElement)));
  await press('j');
  expect(await row() === 0, `j went to row ${await row()}`);
  await press('j');
  expect(await row() === 1, `j j went to row ${await row()}`);
  await press('k');
  expect(await row() === 0, `k went to row ${await row()}`);
  await press('/');
  expect(await focus('#q'), '/ did not go to the search box');
  expect(await page.inputValue('#q') === '', 'the stroke itself was written into the box');
  await press('j', 'g', 'c', '/', '?');
  expect(await page.inputValue('#q') === 'jgc/?' && await focus('#q'), `keys work while somebody writes: ${await page.inputValue('#q')}`);
  await page.fill('#q', '');

  // An input method: what it is about to write is no command, in the box and beside it.
  const wire = await context.newCDPSession(page);
  await wire.send('Input.imeSetComposition', { text: 'gc', selectionStart: 2, selectionEnd: 2 });
  await wire.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Process', code: 'KeyC', windowsVirtualKeyCode: 229 });
  await wire.send('Input.insertText', { text: '工厂' });
  expect(await page.inputValue('#q') === '工厂' && at() === '/console/worklist/conflicts', `composing came to ${await page.inputValue('#q')} at ${at()}`);
  await page.fill('#q', '');
  await page.evaluate(() => document.activeElement.blur());
  for (const key of ['j', '/', 'g', 'c', '?']) {
    await page.evaluate((key) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, isComposing: true })), key);
  }
  expect(await row() === -1 && !(await focus('#q')) && at() === '/console/worklist/conflicts', `keys work while somebody composes, now at ${at()}`);
  for (const chord of ['Control+j', 'Alt+j', 'Meta+j']) await press(chord);
  expect(await row() === -1, 'a chord of the browser is taken for a single key');

  await leads('/console/cases', 'g', 'c');
  for (const [key, path] of [['w', '/console/worklist'], ['a', '/console/assign'], ['d', '/console/devices'], ['h', '/console/hearing']]) await leads(path, 'g', key);
  await leads('/console/settings', '?');
  // Through the conflicts from one to the next and back, without the list.
  await site.open(page, '/console/worklist/conflicts');
  await press('j');
  await leads('/console/act/decide', 'Enter');
  const first = page.url();
  await leads('/console/act/decide', ']');
  expect(page.url() !== first, '] stays where it is');
  await leads('/console/act/decide', '[');
  expect(page.url() === first, '[ does not lead back');

  // No key signs: on a confirm page nothing happens, whichever is pressed.
  await site.open(page, pages.find((one) => one.state === 'decide'));
  const confirm = page.url();
  let sent = 0;
  page.on('request', (request) => { sent += request.method() === 'POST' ? 1 : 0; });
  for (const key of [...'abefiklmnopqrstuvxyz1234567890.,;-', 'Enter', 'Space', 'Delete', 'Backspace', 'Escape']) await press(key);
  expect(sent === 0 && page.url() === confirm, `a key sent something, or left for ${page.url()}`);

  await set(false);
  await site.open(page, '/console/worklist/conflicts');
  await press('j', '/', 'g', 'c', '?');
  expect(await row() === -1 && !(await focus('#q')) && at() === '/console/worklist/conflicts', `switched off, and keys work: now at ${at()}`);
  await set(true);
  await context.close();
  say.all('single keys, their switch, and who composes', problems);
}
