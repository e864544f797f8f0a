// Language: no banned word in any page, PDF or answer of the command line; pages say their language; nothing is left untranslated.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { LANGUAGES, walk } from '../site.mjs';

const BANNED = [/真实/, /防伪/, /不可篡改/, /已验证/, /上链/, /区块链/, /已登录/,
  /\bauthentic\b/i, /\bgenuine\b/i, /\btamper-?proof\b/i, /\bguaranteed?\b/i, /\bverified\b(?! by)/i, /\bblockchain\b/i];
/** Where a banned word is itself the matter: what a proof does not prove. */
const ALLOWED = [/画面真实、未经摆拍/g, /画面是否真实/g];
/** What only a program would say. */
const RAW = [/\bundefined\b/, /\bnull\b/, /\bNaN\b/, /\{[a-z_]+\}/, /\bNone\b/, /\bSome\(/, /%:?[A-Za-z]\b/, /console\.[a-z_]+\.[a-z_]+/];

/** The banned words in a text. */
export function banned(text, list = BANNED) {
  const bare = ALLOWED.reduce((rest, allowed) => rest.replace(allowed, ''), text);
  return list.map((word) => bare.match(word)?.[0]).filter(Boolean);
}

export async function check({ site, pages, say, town }) {
  const problems = [];
  for (const lang of LANGUAGES) {
    await walk(site, [{ who: null, path: '/console/sign-in' }, { who: null, path: '/' }, ...pages], async (page, one) => {
      await site.open(page, one.path, null);
      const said = await page.evaluate(() => ({
        lang: document.documentElement.lang,
        text: document.body.innerText + ' ' + document.title,
        attributes: [...document.querySelectorAll('[title],[alt],[aria-label],[placeholder]')]
          .map((node) => ['title', 'alt', 'aria-label', 'placeholder'].map((name) => node.getAttribute(name) ?? '').join(' ')).join('\n'),
        numbers: [...document.querySelectorAll('.doc-no')].filter((node) => !node.closest('[lang|=zh]')).map((node) => node.textContent),
        // What people and parties are called is data, not the console's words.
        own: (() => {
          const copy = document.body.cloneNode(true);
          copy.querySelectorAll('bdi, code, pre, [lang], textarea, input, option').forEach((node) => node.remove());
          return copy.textContent;
        })(),
      }));
      if (one.path !== '/' && said.lang !== (lang === 'zh' ? 'zh-CN' : 'en')) problems.push(`${one.path} ${lang}: lang is ${said.lang}`);
      for (const word of banned(`${said.text}\n${said.attributes}`)) problems.push(`${one.path} ${lang}: says ${word}`);
      for (const word of banned(`${said.text}\n${said.attributes}`, RAW)) problems.push(`${one.path} ${lang}: shows ${word}`);
      for (const number of said.numbers) problems.push(`${one.path} ${lang}: ${number} does not say its language`);
      const foreign = one.path === '/' ? null : lang === 'en' ? said.own.match(/[\u4e00-\u9fff]{2,}.{0,20}/) : null;
      if (foreign) problems.push(`${one.path} en: Chinese without lang: ${foreign[0].trim()}`);
    }, { options: { lang } });
  }
  say.all('no banned, raw or untranslated word in any page', problems, pages.length * 2);
  commandLine(town, say);
  papers(town, say);
}

function commandLine(town, say) {
  const problems = [];
  let count = 0;
  const run = (words) => {
    for (const lang of LANGUAGES) {
      let text;
      try {
        text = execFileSync(town.fieldseal, [...words, '--lang', lang], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      } catch (error) {
        text = `${error.stdout ?? ''}${error.stderr ?? ''}`;
      }
      count += 1;
      for (const word of banned(text)) problems.push(`fieldseal ${words.slice(0, 2).join(' ')} (${lang}): says ${word}`);
    }
  };
  const at = (name) => path.join(town.folder, name);
  for (const words of [['--help'], ['verify', '--help'], ['device', '--help'], ['supervisor', '--help'], ['admin', '--help'],
    ['device', 'status', '--dir', at('tablets/a3')], ['device', 'inspections', '--dir', at('tablets/a3')],
    ['device', 'fsck', '--dir', at('tablets/b7')], ['supervisor', 'cases', '--dir', at('supervisor')],
    ['supervisor', 'show', town.case, '--dir', at('supervisor')], ['verify', at('nothing'), '--trust', town.trust],
    ...(town.bundle ? [['verify', town.bundle, '--trust', town.trust]] : [])]) run(words);
  say.all('no banned word on the command line', problems, count);
}

function papers(town, say) {
  const folder = path.join(town.folder, 'documents');
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.pdf')) : [];
  const problems = [];
  for (const name of files) {
    const text = execFileSync('pdftotext', [path.join(folder, name), '-'], { encoding: 'utf8' });
    for (const word of banned(text)) problems.push(`${name}: says ${word}`);
    if (text.trim().length < 100) problems.push(`${name}: has no text`);
  }
  if (!files.length) problems.push('the town has no documents');
  say.all('no banned word in a document', problems, files.length);
}
