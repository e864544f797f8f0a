// Language: no banned word in any page, PDF or answer of the command line; pages say their language; nothing is left untranslated.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { LANGUAGES } from '../site.mjs';

/** Names that are the same in every language. */
const SAME = /^(SHA-256|CSV|EXIF|GPS|PDF|\.\w+)/;

/** What only a program would say. */
const RAW = [/\bundefined\b/, /\bnull\b/, /\bNaN\b/, /\{[a-z_]+\}/, /\bNone\b/, /\bSome\(/, /%:?[A-Za-z]\b/, /console\.[a-z_]+\.[a-z_]+/];

/** The words that nobody may say, from the one list that the catalogue's own test reads as well. */
export function forbidden(root) {
  const lines = fs.readFileSync(path.join(root, 'core/src/catalogue/banned.txt'), 'utf8').split('\n').filter((line) => line && !line.startsWith('#'));
  const allowed = lines.filter((line) => line.startsWith('- ')).map((line) => line.slice(2));
  const words = lines.filter((line) => !line.startsWith('- '));
  if (words.length < 10) throw new Error('the list of banned words is not read');
  const plain = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const each = words.map((word) => new RegExp(/^[\x20-\x7e]+$/.test(word) ? `(?<![\\w-])${plain(word)}(?![\\w-])` : plain(word), 'i'));
  return (text) => {
    const bare = allowed.reduce((rest, phrase) => rest.replace(new RegExp(plain(phrase).replaceAll(' ', '\\s+'), 'gi'), ''), text);
    return each.map((word) => bare.match(word)?.[0]).filter(Boolean);
  };
}

export function tour({ say, town }) {
  const problems = [];
  const banned = forbidden(town.root);
  const raw = (text) => RAW.map((word) => text.match(word)?.[0]).filter(Boolean);
  let seen = 0;
  const at = async (page, one, lang) => {
    seen += 1;
    const said = await page.evaluate(() => ({
      lang: document.documentElement.lang,
      text: document.body.innerText + ' ' + document.title,
      programs: [...document.querySelectorAll('pre')].map((node) => node.innerText),
      attributes: [...document.querySelectorAll('[title],[alt],[aria-label],[placeholder]')]
        .map((node) => ['title', 'alt', 'aria-label', 'placeholder'].map((name) => node.getAttribute(name) ?? '').join(' ')).join('\n'),
      numbers: [...document.querySelectorAll('.doc-no')].filter((node) => !node.closest('[lang|=zh]')).map((node) => node.textContent),
      // A heading in letters that its page's language does not use names its own, by itself or by what it holds. Ids and
      // hashes (.mono) are in no language.
      foreign: [...document.querySelectorAll('h1,h2,h3,h4,legend,caption,th,dt,summary,label,button')].map((node) => {
        const copy = node.cloneNode(true);
        copy.querySelectorAll('bdi, code, kbd, .mono, [lang], .count, .hidden').forEach((inner) => inner.remove());
        return node.closest('[lang]') === document.documentElement ? copy.textContent.trim() : '';
      }).filter((text) => (document.documentElement.lang.startsWith('zh') ? /^[^\u2e80-\uffef]*[A-Za-z]{4,}[^\u2e80-\uffef]*$/ : /[\u2e80-\uffef]{2,}/).test(text)),
      // What people and parties are called is data, not the console's words.
      own: (() => {
        const copy = document.body.cloneNode(true);
        copy.querySelectorAll('bdi, code, pre, [lang], textarea, input, option').forEach((node) => node.remove());
        return copy.textContent;
      })(),
    }));
    if (one.path !== '/' && said.lang !== (lang === 'zh' ? 'zh-CN' : 'en')) problems.push(`${one.name} ${lang}: lang is ${said.lang}`);
    for (const word of banned(`${said.text}\n${said.attributes}`)) problems.push(`${one.name} ${lang}: says ${word}`);
    // What is printed for the reader to run is a program and may say what programs say.
    const told = said.programs.reduce((rest, program) => rest.replace(program, ''), said.text);
    for (const word of raw(`${told}\n${said.attributes}`)) problems.push(`${one.name} ${lang}: shows ${word}`);
    for (const number of said.numbers) problems.push(`${one.name} ${lang}: ${number} does not say its language`);
    for (const heading of said.foreign) if (!SAME.test(heading)) problems.push(`${one.name} ${lang}: a heading in the other language: ${heading}`);
    const foreign = one.path === '/' ? null : lang === 'en' ? said.own.match(/[\u4e00-\u9fff]{2,}.{0,20}/) : null;
    if (foreign) problems.push(`${one.name} en: Chinese without lang: ${foreign[0].trim()}`);
  };
  const tell = () => {
    say.all('no banned, raw or untranslated word in any page', problems, seen);
    commandLine(town, say, banned);
    papers(town, say, banned);
  };
  return { at, tell };
}

/** Every help text of both programs, and what they answer in the town. */
function commandLine(town, say, banned) {
  const problems = [];
  let count = 0;
  const run = (program, words) => {
    let text;
    try {
      text = execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      text = `${error.stdout ?? ''}${error.stderr ?? ''}`;
    }
    count += 1;
    const name = `${path.basename(program)} ${words.slice(0, 4).join(' ')}`;
    for (const word of banned(text)) problems.push(`${name}: says ${word}`);
    if (text.trim().length < 2) problems.push(`${name}: says nothing`);
    return text;
  };
  const helps = (program, words = []) => {
    const text = run(program, [...words, '--help']);
    const commands = text.split(/^Commands:\n/m)[1]?.split(/\n\n/)[0] ?? '';
    for (const [, name] of commands.matchAll(/^ {2}([a-z][\w-]*)/gm)) if (name !== 'help') helps(program, [...words, name]);
  };
  helps(town.fieldseal);
  helps(town.server);
  if (count < 60) problems.push(`only ${count} help texts were met`);
  const at = (name) => path.join(town.folder, name);
  const spoken = [['device', 'status', '--dir', at('tablets/a3')], ['device', 'inspections', '--dir', at('tablets/a3')],
    ['device', 'fsck', '--dir', at('tablets/b7')], ['supervisor', 'cases', '--dir', at('supervisor')],
    ['supervisor', 'show', town.case, '--dir', at('supervisor')], ['verify', at('nothing'), '--trust', town.trust]];
  for (const lang of LANGUAGES) {
    for (const words of spoken) run(town.fieldseal, [...words, '--lang', lang]);
    const verdict = run(town.fieldseal, ['verify', town.bundle, '--trust', town.trust, '--lang', lang]);
    if (!/ANCHORED/.test(verdict)) problems.push(`the town's bundle is not verified in ${lang}: ${verdict.slice(0, 300)}`);
  }
  say.all('no banned word on the command line', problems, count);
}

function papers(town, say, banned) {
  const folder = path.join(town.folder, 'documents');
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.pdf')) : [];
  const problems = [];
  for (const name of files) {
    const text = execFileSync('pdftotext', [path.join(folder, name), '-'], { encoding: 'utf8' });
    for (const word of banned(text)) problems.push(`${name}: says ${word}`);
    if (text.trim().length < 100) problems.push(`${name}: has no text`);
  }
  if (!files.length) problems.push('the town has no documents');
  // What a bundle says of itself to whoever opens it.
  const texts = fs.readdirSync(town.bundle, { recursive: true }).filter((name) => /\.(md|txt|html)$/.test(name) && !/manifest|^bag/.test(name));
  for (const name of texts) for (const word of banned(fs.readFileSync(path.join(town.bundle, name), 'utf8'))) problems.push(`${name} of the bundle: says ${word}`);
  if (!texts.length) problems.push('the bundle has no text');
  say.all('no banned word in a document', problems, files.length + texts.length);
}
