// One morning of a supervisor, without a mouse.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { focused, tabTo } from './focus.mjs';

/** Goes to what `wanted` describes (a part of its address or of its name) and presses Enter; a page must come of it. */
async function follow(page, wanted, problems) {
  await tabTo(page, (at) => matches(at, wanted), problems);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
}

function matches(at, wanted) {
  return wanted instanceof RegExp ? wanted.test(at.name) || wanted.test(at.href ?? '') : at.name === wanted;
}

/** Makes a key in the browser by keyboard, and has the administrator approve it from her own machine. */
export async function enrol(site, town, page, problems) {
  await site.open(page, '/console/keys');
  await tabTo(page, (at) => at.tag === 'button' && at.path && page.evaluate(() => document.activeElement.form?.dataset.makeKey !== undefined), problems);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
  approve(town);
}

export function approve(town) {
  const { command, arguments: words, pin } = town.approve;
  execFileSync(command, [...words, '--json'], { env: { ...process.env, FIELDSEAL_PIN: pin }, stdio: 'pipe' });
}

export async function story({ site, say, town }) {
  const problems = [];
  const told = [];
  const context = await site.context({ acceptDownloads: true });
  const page = await context.newPage();
  const step = (what) => told.push(what);
  const expect = (holds, what) => { if (!holds) problems.push(`after ${told.at(-1)}: ${what}`); };
  const focusIsOn = async (selector, what) => expect(await page.evaluate((one) => document.activeElement?.matches(one), selector), what);
  site.expected.add('/console/sign-in');
  const { user, password } = town.people.supervisor;

  await site.open(page, '/console/worklist');
  for (const [secret, good] of [['wrong wrong wrong', false], [password, true]]) {
    step(`sign-in with ${good ? 'the' : 'a wrong'} password`);
    if (good) await page.fill('#user', '');
    await tabTo(page, (at) => page.evaluate(() => document.activeElement.id === 'user'), problems);
    await page.keyboard.type(user);
    await page.keyboard.press('Tab');
    await page.keyboard.type(secret);
    await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
    if (!good) {
      await focusIsOn('.summary', 'the focus is not on the error');
      expect((await page.title()).startsWith('错误：'), `the title is ${await page.title()}`);
    }
  }
  expect(new URL(page.url()).pathname.startsWith('/console/worklist'), `she is at ${page.url()}`);

  step('making a key');
  await enrol(site, town, page, problems);
  await site.open(page, '/console/worklist');
  step('意见不一');
  await follow(page, /worklist\/conflicts$/, problems);
  step('compare');
  await tabTo(page, (at) => at.tag === 'a' && /act\/decide/.test(at.href ?? ''), problems);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
  expect(await page.locator('input[type=radio]:checked').count() === 0, 'a choice is made already');
  const shown = await page.locator('main').innerText();
  for (const word of ['平板 A3', '平板 B7', '设备时钟']) expect(shown.includes(word), `the two sides do not show ${word}`);
  const decided = page.url();
  step('choose and give a reason');
  await tabTo(page, (at) => page.evaluate(() => document.activeElement.type === 'radio'), problems);
  await page.keyboard.press('Space');
  await tabTo(page, (at) => page.evaluate(() => document.activeElement.id === 'reason'), problems);
  await page.keyboard.type('依照现场照片认定');
  await tabTo(page, (at) => page.evaluate(() => document.activeElement.matches('form[data-guard] button.main')), problems);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
  step('confirm');
  expect((await page.locator('main').innerText()).includes('依照现场照片认定'), 'the reason is not among what will be signed');
  await page.waitForSelector('form[data-sign] button:not([disabled])');
  await tabTo(page, (at) => page.evaluate(() => document.activeElement.matches('form[data-sign] button')), problems);
  const verb = (await focused(page)).name;
  expect(/签名并/.test(verb), `the button says ${verb}`);
  const signed = page.url();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => String(url) !== signed);
  step('sign');
  expect(await page.locator('[role=status]').count() > 0, 'nothing says that it is done');
  const again = await page.goto(decided);
  expect(again.status() === 200, `the decided page answers ${again.status()}`);
  expect(await page.locator('form[data-guard] input[type=radio]').count() === 0, 'it can be decided once more');

  step('evidence');
  await site.open(page, `/console/cases/${town.case}`);
  await follow(page, /\/evidence$/, problems);
  step('a piece of evidence');
  await follow(page, /\/evidence\/[0-9a-f-]{36}/, problems);
  expect(await page.locator('.verdict').isVisible(), 'no verdict is shown');
  step('export');
  await site.open(page, `/console/hearing/${town.case}`);
  await exported(page, problems, town, step, expect);
  step('sign-out');
  await site.open(page, '/console/worklist');
  await tabTo(page, (at) => page.evaluate(() => document.activeElement.form?.action.endsWith('/sign-out')), problems);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
  expect(new URL(page.url()).pathname === '/console/sign-in', `she is at ${page.url()}`);
  const back = await page.goto(site.at('/console/worklist'));
  expect(new URL(page.url()).pathname === '/console/sign-in' && back.ok(), 'the session is not over');
  await context.close();
  say.all('a morning by keyboard alone', problems, `${told.length} steps`);
}

/** Exports by keyboard, keeps the bundle, and has the stranger's verifier judge it. */
async function exported(page, problems, town, step, expect) {
  const into = path.join(town.folder, 'browser-bundle.zip');
  await tabTo(page, () => page.evaluate(() => document.activeElement.matches('main form[method=post] button.main')), problems);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
  // The page follows the export by itself and in the end offers the file.
  await page.waitForSelector('main a[download]', { timeout: 60_000 });
  const { shift } = await page.evaluate(() => window.seen);
  expect(shift < 0.01, `the page moved by ${shift.toFixed(3)} while the export went on`);
  expect((await page.locator('main').innerText()).includes('已锚定'), 'the result has no verdict');
  step('download');
  const coming = page.waitForEvent('download', { timeout: 60_000 });
  await tabTo(page, () => page.evaluate(() => document.activeElement.matches('main a[download]')), problems);
  await page.keyboard.press('Enter');
  const file = await coming;
  await file.saveAs(into);
  step('verify the bundle that was downloaded');
  let report;
  try {
    report = JSON.parse(execFileSync(town.fieldseal, ['verify', into, '--trust', town.trust, '--json'], { encoding: 'utf8' }));
  } catch (error) {
    report = { verdict: `exit ${error.status}: ${error.stdout?.slice(0, 400)}` };
  }
  expect(report.verdict === 'ANCHORED', `the bundle is ${report.verdict}`);
}
