// A morning of a supervisor, without a mouse and without the address bar: everything she may sign, one half in each language.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { focused, tabTo } from './focus.mjs';

/** What she reads. */
const SAYS = {
  zh: {
    error: '错误：', sides: ['平板 A3', '平板 B7', '设备时钟'], verdict: '已锚定', verb: /^签名并/, done: '已签名并写入：', words: '依照现场照片认定',
    nav: { work: '待办', cases: '案件', assign: '派单', enterprises: '企业', hearing: '听证与导出', enrolment: '登记' },
  },
  en: {
    error: 'Error: ', sides: ['平板 A3', '平板 B7', 'Device clock'], verdict: 'ANCHORED', verb: /^Sign and /, done: 'Signed and written:', words: 'as the photographs of the scene show',
    nav: { work: 'Work', cases: 'Cases', assign: 'Assign', enterprises: 'Enterprises', hearing: 'Hearing', enrolment: 'Enrolment' },
  },
};

/** Makes a key in the browser by keyboard, and has the administrator approve it from her own machine. */
export async function enrol(site, town, page, problems) {
  await site.open(page, '/console/keys');
  await makeKey(page, problems);
  approve(town);
}

async function makeKey(page, problems) {
  await tabTo(page, (at) => at.tag === 'button' && at.path && page.evaluate(() => document.activeElement.form?.dataset.makeKey !== undefined), problems);
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
}

export function approve(town) {
  const { command, arguments: words, pin } = town.approve;
  execFileSync(command, [...words, '--json'], { env: { ...process.env, FIELDSEAL_PIN: pin }, stdio: 'pipe' });
}

export async function story({ site, say, town }) {
  for (const lang of ['zh', 'en']) {
    const morning = new Morning(site, town, lang, await site.context({ lang, acceptDownloads: true }));
    try {
      await morning.signIn();
      await morning.makesKey();
      await morning.decides();
      if (lang === 'zh') {
        await morning.settles();
        await morning.freezes();
        await morning.evidence();
      } else {
        await morning.joins();
        await morning.assigns();
        await morning.moves();
        await morning.returns();
      }
      await morning.exports();
      await morning.signOut();
    } catch (error) {
      morning.problems.push(`after ${morning.told.at(-1)}: ${error.message.split('\n')[0]}`);
    }
    await morning.context.close();
    say.all(`a morning by keyboard alone, ${lang}`, morning.problems, `${morning.told.length} steps`);
  }
}

class Morning {
  constructor(site, town, lang, context) {
    Object.assign(this, { site, town, lang, context, says: SAYS[lang], problems: [], told: ['the beginning'] });
  }

  expect(holds, what) {
    if (!holds) this.problems.push(`after ${this.told.at(-1)}: ${what}`);
  }

  step(what) {
    this.told.push(what);
  }

  at() {
    return new URL(this.page.url()).pathname;
  }

  main() {
    return this.page.locator('main').innerText();
  }

  /** Walks by Tab to what the selector says, at most one way round the page. */
  async to(selector) {
    await tabTo(this.page, () => this.page.evaluate((one) => document.activeElement.matches(one), selector), this.problems, 200);
  }

  /** A page comes of Enter. */
  async enter() {
    await Promise.all([this.page.waitForNavigation({ waitUntil: 'load' }), this.page.keyboard.press('Enter')]);
  }

  async follow(selector) {
    await this.to(selector);
    await this.enter();
  }

  /** A part of the navigation, by its word. */
  async go(part) {
    const word = this.says.nav[part];
    await tabTo(this.page, (at) => at.name === word && this.page.evaluate(() => document.activeElement.closest('.top nav') !== null), this.problems, 300);
    await this.enter();
    this.expect(await this.page.locator('.top nav a[aria-current=page]').innerText() === word, `${word} led to ${this.at()}`);
  }

  /** After a form or a signature reading goes on at the result: a heading, what was done, or what is wrong; and it is seen. */
  async goesOn(what) {
    const on = await this.page.evaluate(() => {
      const node = document.activeElement;
      return node.matches('h1, [role=status], [role=alert], .summary, .verdict') ? null : `${node.tagName}.${node.className}`;
    });
    this.expect(on === null, `${what}: the focus is on ${on}`);
    const at = await focused(this.page);
    for (const wrong of at?.wrong ?? []) this.expect(false, `${what}: the focus is ${wrong}`);
  }

  async signIn() {
    const { user, password } = this.town.people.supervisor;
    this.site.expected.add('/console/sign-in');
    this.page = await this.context.newPage();
    // The one address that anybody types.
    await this.site.open(this.page, '/console');
    for (const [secret, good] of [['wrong wrong wrong', false], [password, true]]) {
      this.step(`sign-in with ${good ? 'the' : 'a wrong'} password`);
      await this.to('#user');
      await this.page.keyboard.press('Control+a');
      await this.page.keyboard.type(user);
      await this.page.keyboard.press('Tab');
      await this.page.keyboard.type(secret);
      await this.enter();
      if (good) continue;
      await this.goesOn('a wrong password');
      this.expect(await this.page.evaluate(() => document.activeElement.matches('.summary')), 'the focus is not on the error');
      this.expect((await this.page.title()).startsWith(this.says.error), `the title is ${await this.page.title()}`);
    }
    this.expect(this.at().startsWith('/console/worklist'), `she is at ${this.at()}`);
  }

  async makesKey() {
    this.step('making a key');
    await this.go('enrolment');
    await this.follow('main a[href="/console/keys"]');
    await makeKey(this.page, this.problems);
    await this.goesOn('making a key');
    this.expect(await this.page.locator('main [data-here]:visible').count() > 0, 'the new key is not shown as being in this browser');
    approve(this.town);
  }

  /** Tabs to the button that sends the form, reads what will be written, signs. */
  async sign(part, words = [this.says.words]) {
    await this.follow('main form[data-guard] button.main');
    // What speaks against it is said once; whoever goes on sends it again.
    if (await this.page.locator('input[name=warned]').count() > 0) {
      this.step(`${part}: warned`);
      await this.goesOn('the warning');
      await this.follow('main form[data-guard] button.main');
    }
    this.step(`${part}: confirm`);
    this.expect(this.at().startsWith('/console/act/sign/'), `the form led to ${this.at()}: ${(await this.main()).slice(0, 300)}`);
    await this.confirm(part, words);
  }

  async confirm(part, words) {
    await this.goesOn('confirming');
    const shown = await this.main();
    for (const word of words) this.expect(shown.includes(word), `${word} is not among what will be signed`);
    await this.page.waitForSelector('form[data-sign] button:not([disabled])');
    await this.to('form[data-sign] button');
    const verb = (await focused(this.page)).name;
    this.expect(this.says.verb.test(verb), `the button says ${verb}`);
    await this.enter();
    this.step(`${part}: signed`);
    this.expect((await this.main()).includes(this.says.done), `nothing says that it is done, at ${this.at()}`);
    await this.goesOn('signing');
  }

  async reason() {
    await this.to('#reason');
    await this.page.keyboard.type(this.says.words);
  }

  async decides() {
    this.step('the conflicts');
    await this.go('work');
    await this.follow('.tabs a[href$="/conflicts"]');
    await this.follow('main a[href*="/act/decide"]');
    this.step('compare');
    this.expect(await this.page.locator('input[type=radio]:checked').count() === 0, 'a choice is made already');
    const shown = await this.main();
    for (const word of this.says.sides) this.expect(shown.includes(word), `the two sides do not show ${word}`);
    const decided = this.page.url();
    await this.to('input[type=radio]');
    await this.page.keyboard.press('Space');
    await this.reason();
    await this.sign('deciding');
    // Whoever comes back to it finds it settled.
    const again = await this.context.newPage();
    await this.site.open(again, decided);
    this.expect(await again.locator('form[data-guard] input[type=radio]').count() === 0, 'it can be decided once more');
    await again.close();
  }

  async settles() {
    this.step('what was set aside');
    await this.go('work');
    await this.follow('.tabs a[href$="/late"]');
    const settled = await this.page.locator('main a[href*="/act/settle"]').first().getAttribute('href');
    await this.follow('main a[href*="/act/settle"]');
    await this.to('input[type=radio]');
    await this.page.keyboard.press('Space');
    await this.reason();
    await this.sign('settling');
    await this.go('work');
    await this.follow('.tabs a[href$="/late"]');
    this.expect(await this.page.locator(`main a[href="${settled}"]`).count() === 0, 'it is still set aside');
    this.expect(await this.page.locator('main a[href*="/act/settle"]').count() > 0, 'what somebody else wrote late is gone with it');
  }

  /** By the list of cases and the search box to the case that the story is about. */
  async case() {
    await this.go('cases');
    await this.follow(`main tbody a[href="/console/cases/${this.town.case}"]`);
  }

  async freezes() {
    this.step('the case');
    await this.case();
    await this.follow('main a[href*="/act/freeze"]');
    await this.reason();
    await this.sign('freezing');
    this.expect(await this.page.locator('main a[href*="/act/freeze"]').count() === 0, 'it can be frozen once more');
  }

  async evidence() {
    this.step('evidence');
    await this.case();
    await this.follow('.tabs a[href$="/evidence"]');
    this.step('a piece of evidence');
    await this.follow('main .gallery a');
    this.expect(await this.page.locator('.verdict').isVisible(), 'no verdict is shown');
    this.expect((await this.page.locator('.verdict').innerText()).includes(this.says.verdict), 'the verdict is another');
  }

  async joins() {
    this.step('enterprises');
    await this.go('enterprises');
    await this.to('main form.filters input[type=search]');
    await this.page.keyboard.insertText('新合木业');
    await this.enter();
    await this.goesOn('searching');
    await this.follow('main tbody a');
    await this.follow('main a[href*="/act/join"]');
    await this.to('input[type=radio]');
    await this.page.keyboard.press('Space');
    await this.reason();
    await this.sign('joining');
    this.expect(await this.page.locator('main a[href*="/act/join"]').count() === 0, 'the two are still proposed');
  }

  async assigns() {
    this.step('the board');
    await this.go('assign');
    await this.follow('main a[href="/console/act/assign"]');
    await this.to('#enterprise');
    await this.page.keyboard.press('ArrowDown');
    await this.to('#planned');
    // Chromium shows dates in the order of its own language, which here is American.
    await this.page.keyboard.type('12242026');
    await this.to('#title');
    await this.page.keyboard.insertText('冬季专项检查');
    for (const name of ['officer', 'tablet']) {
      await this.to(`input[name=${name}]`);
      await this.page.keyboard.press('Space');
    }
    await this.sign('assigning', ['冬季专项检查', '2026-12-24']);
    this.expect((await this.main()).includes('冬季专项检查'), 'it is not on the board');
  }

  async moves() {
    this.step('another day');
    await this.to('form.move input[type=date]');
    await this.page.keyboard.type('12282026');
    await this.follow('form.move button');
    await this.confirm('moving', ['2026-12-28']);
    this.expect((await this.main()).includes('2026-12-28'), 'the day is not on the board');
  }

  async returns() {
    this.step('a case that goes back');
    await this.to('#q');
    await this.page.keyboard.insertText(this.town.hostile.plain);
    await this.enter();
    await this.goesOn('searching');
    await this.follow('main tbody a[href^="/console/cases/"]');
    await this.follow('main a[href*="/act/return"]');
    await this.to('#items');
    await this.page.keyboard.insertText('身份证明');
    await this.reason();
    await this.sign('sending back', [this.says.words, '身份证明']);
    await this.go('work');
    await this.follow('.tabs a[href$="/returns"]');
    this.expect((await this.main()).includes(this.says.words), 'it is not in the list of what went back');
  }

  /** Exports by keyboard, keeps the bundle, and has the stranger's verifier judge it. */
  async exports() {
    this.step('hearing');
    await this.go('hearing');
    await this.follow(`main tbody a[href="/console/hearing/${this.town.case}"]`);
    this.step('export');
    // Earlier exports of hers are shown; the new one has another address.
    const before = this.page.url();
    await this.follow('main form[method=post] button.main');
    this.expect(this.page.url() !== before, 'nothing was begun');
    await this.goesOn('beginning an export');
    // The page follows the export by itself and in the end offers the file.
    await this.page.waitForSelector('main a[download]', { timeout: 60_000 });
    const { shift } = await this.page.evaluate(() => window.seen);
    this.expect(shift < 0.01, `the page moved by ${shift.toFixed(3)} while the export went on`);
    await this.goesOn('the end of the export');
    this.expect((await this.main()).includes(this.says.verdict), 'the result has no verdict');
    this.step('download');
    const coming = this.page.waitForEvent('download', { timeout: 60_000 });
    await this.to('main a[download]');
    await this.page.keyboard.press('Enter');
    const into = path.join(this.town.folder, `browser-bundle-${this.lang}.zip`);
    await (await coming).saveAs(into);
    this.step('verify the bundle that was downloaded');
    let report;
    try {
      report = JSON.parse(execFileSync(this.town.fieldseal, ['verify', into, '--trust', this.town.trust, '--json'], { encoding: 'utf8' }));
    } catch (error) {
      report = { verdict: `exit ${error.status}: ${error.stdout?.slice(0, 400)}` };
    }
    this.expect(report.verdict === 'ANCHORED', `the bundle is ${report.verdict}`);
  }

  async signOut() {
    this.step('sign-out');
    await tabTo(this.page, () => this.page.evaluate(() => document.activeElement.form?.action.endsWith('/sign-out') ?? false), this.problems);
    await this.enter();
    this.expect(this.at() === '/console/sign-in', `she is at ${this.at()}`);
    const back = await this.site.open(this.page, '/console/worklist');
    this.expect(this.at() === '/console/sign-in' && back.ok(), 'the session is not over');
  }
}
