// Print: 文号 and page numbers are in the text of the PDF, details are open, navigation is gone.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { LANGUAGES, walk } from '../site.mjs';

/** The end of the foot of every print, without spaces. */
const FOOT = { zh: '打印件不能代替数据包核对', en: 'Aprintoutdoesnotreplacecheckingthebundle' };

export async function check({ site, kinds, say, town }) {
  const problems = [];
  const wanted = ['/console/cases/{case}', '/console/cases/{case}/evidence/{id}', '/console/hearing/{case}', '/console/cases/{case}/documents', '/console/cases/{case}/timeline'];
  const printed = kinds.filter((one) => one.who === 'supervisor' && (wanted.includes(one.route) || /evidence\/\{/.test(one.route) || one.state === 'every judgement' || one.state === 'decide'));
  for (const lang of LANGUAGES) await walk(site, printed, async (page, one) => {
    await site.open(page, one, null);
    // The first words of what is closed: a label by itself, for its value may stand in another column.
    const hidden = await page.$$eval('details:not([open])', (all) => all.map((node) => {
      const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT, (text) =>
        (text.data.trim() && !text.parentElement.closest('summary') ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP));
      return texts.nextNode()?.data.trim().slice(0, 24) ?? '';
    }));
    const numbers = [...new Set(((await page.locator('main').innerText()).match(/〔\d{4}〕\s*\d+\s*号/g) ?? []).map((text) => text.replace(/\s/g, '')))];
    const file = path.join(town.folder, `print-${lang}-${printed.indexOf(one)}.pdf`);
    fs.writeFileSync(file, await page.pdf({ preferCSSPageSize: true, printBackground: false }));
    const raw = execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' });
    const text = raw.replace(/\s/g, '');
    if (!/1\/\d+|第1页|Page1/.test(text)) problems.push(`${one.name}: no page number`);
    for (const number of numbers) if (!text.includes(number)) problems.push(`${one.name}: ${number} is not in the text of the print`);
    for (const inside of hidden) {
      // A narrow column breaks between words, and its neighbour's text comes between.
      const bare = inside.trim().split(/\s/)[0].slice(0, 12);
      // Labels begin with a capital letter by the style sheet.
      if (bare && !text.toLowerCase().includes(bare.toLowerCase())) problems.push(`${one.name}: a closed part is not printed: ${inside}`);
    }
    if (text.includes('退出') || text.includes('Signout')) problems.push(`${one.name}: the sign-out button is printed`);
    if (!text.includes(FOOT[lang])) problems.push(`${one.name}: the foot of the print is missing`);
    if (town.pictures) execFileSync('pdftoppm', ['-r', '60', '-png', '-l', '2', file, path.join(town.pictures, `print-${lang}-${printed.indexOf(one)}`)]);
  }, { options: { lang } });
  if (!printed.length) problems.push('no page to print was met');
  say.all('print', problems, printed.length * LANGUAGES.length);
}
