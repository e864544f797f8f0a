// What the console says of trust, word for word: verdicts, brackets, acquisition. Whatever else is met is an error, so an unknown
// verdict cannot slip through as a good one.

const VERDICTS = {
  INVALID: { zh: ['无效', '检验不通过：至少一处字节、签名或证明不符。'], en: ['Failed: at least one byte, signature or proof does not match.'], tone: 'bad', shape: 'octagon' },
  DIVERGED: { zh: ['相互矛盾', '各项单独通过，但两项已签名的事实互相矛盾（列出）。'], en: ['Each part passes, but two signed facts contradict (listed).'], tone: 'bad', shape: 'not-equal' },
  UNANCHORED: { zh: ['未锚定', '内容前后一致，但连不到您提供的信任根或日志；持有人重新签署也会如此。'], en: ['Consistent, but not tied to the trust root or log you supplied; a bundle re-signed by its bearer looks like this.'], tone: 'warn', shape: 'empty-circle' },
  ANCHORED: { zh: ['已锚定', '密钥连到您提供的信任根，各项已列入日志；时间与日志完整性由运营方自述。'], en: ["Keys chain to your trust root and items are in the log; time, and that there is only one log, are the operator's word."], tone: 'info', shape: 'half-circle' },
  WITNESSED: { zh: ['已见证', /同上，且另有 \d+ 家独立机构（.+）联署该日志。/], en: [/As above, and \d+ independent organisations \(.+\) cosigned the log\./], tone: 'ok', shape: 'full-circle' },
  unchecked: { zh: ['未检验', '读到了，但没有检验。'], en: ['Read but not checked.'], tone: 'none', shape: 'dash' },
  withheld: { zh: ['依法不予提供', /依据：.+；其余内容仍可检验。/], en: ['lawfully withheld', /Basis: .+; the rest still verifies\./], tone: 'none', shape: 'hatched-box' },
  disposed: { zh: ['已依法处置', /依据：.+；其余内容仍可检验。/], en: ['lawfully disposed', /Basis: .+; the rest still verifies\./], tone: 'none', shape: 'hatched-box' },
};
/** The word of a tag, which has no sentence. */
const WORD = { unchecked: ['未检验', 'not checked'], withheld: ['依法不予提供', 'lawfully withheld'], disposed: ['已依法处置', 'lawfully disposed'] };
const holds = (text, words) => words.every((part) => (part instanceof RegExp ? part.test(text) : text.includes(part)));
const BRACKET = {
  zh: [/^固化时间区间：(不早于 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ?(\+08:00)?（依据：[^）]+）|无可证下界)；(不晚于 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ?(\+08:00)?（依据：[^）]+）|尚未列入日志)。$/, /^无可证下界；尚未列入日志。$/, /^只能证明先后，不能证明时刻$/],
  en: [/^(Sealed not before \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ?(\+08:00)? \(by: [^)]+\)|No proven lower bound)(; (sealed )?not after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ?(\+08:00)? \(by: [^)]+\)\.|\. Not yet sealed in the log\.)$/, /^Order only, no time$/],
};
const MEANING = {
  zh: '内容最迟在上界前已存在；内容本身可能早于下界（例如导入、翻拍）。',
  en: 'The content existed by the upper bound; it may be older than the lower bound (imported, re-photographed).',
};
const MADE = { zh: { 现场拍摄: 0, 现场录制: 0, 导入: 1, 扫描: 1, 他人提供: 1 }, en: { captured: 0, recorded: 0, imported: 1, scanned: 1, received: 1 } };
const NOT_PROVEN = {
  zh: ['画面真实、未经摆拍', '取证程序合法', '违法事实成立'],
  en: ['that the scene is true or unstaged', 'that collection was lawful', 'that the violation is made out'],
};

export function tour({ say }) {
  const problems = [];
  let verdicts = 0, brackets = 0, tags = 0, limits = 0, imported = 0;
  const met = new Set(), forms = new Set();
  const at = async (page, one, lang) => {
    const place = `${one.name} ${lang}`;
    const found = await page.evaluate(() => {
      const text = (node) => node.innerText.replace(/\s+/g, ' ').trim();
      return {
        verdicts: [...document.querySelectorAll('.verdict')].map((node) => ({ text: text(node), tone: node.className, shape: node.querySelector('svg.shape')?.getAttribute('class') ?? '' })),
        tags: [...document.querySelectorAll('.verdict-tag')].map((node) => ({ text: text(node), tone: node.className, shape: node.querySelector('svg.shape')?.getAttribute('class') ?? '' })),
        brackets: [...document.querySelectorAll('figure.bracket')].map((node) => ({ caption: text(node.querySelector('figcaption')), all: text(node), end: node.querySelector('.open-end') !== null })),
        made: [...document.querySelectorAll('.tag.made')].map((node) => ({ word: text(node), dashed: node.classList.contains('dashed'), arrow: node.querySelector('svg') !== null, green: node.classList.contains('ok') })),
        body: text(document.body), green: [...document.querySelectorAll('main .ok')].map(text),
      };
    });
    for (const { text, tone, shape } of found.verdicts) {
      verdicts += 1;
      const known = Object.entries(VERDICTS).find(([, says]) => holds(text, says[lang]));
      if (known) met.add(`${known[0]} ${lang}`);
      if (known && !shape.includes(`shape-${known[1].shape}`)) problems.push(`${place}: ${known[0]} in the shape ${shape}`);
      if (!known) problems.push(`${place}: a verdict in no known words: ${text.slice(0, 160)}`);
      else if (!tone.split(' ').includes(known[1].tone)) problems.push(`${place}: ${known[0]} in the tone ${tone}`);
      if (!shape) problems.push(`${place}: a verdict without shape`);
      if (!/(由本服务器计算；听证请用独立工具核对|computed by this server; for a hearing check with independent tools)/i.test(text) && !/^(withheld|disposed)$/.test(known?.[0])) problems.push(`${place}: a verdict does not say who computed it: ${text.slice(-120)}`);
    }
    for (const { text, tone, shape } of found.tags) {
      verdicts += 1;
      const known = Object.entries(VERDICTS).find(([code, says]) => (WORD[code] ? text.includes(WORD[code][lang === 'zh' ? 0 : 1]) : new RegExp(`\\b${code}\\b`).test(text) && (lang === 'en' || text.includes(says.zh[0]))));
      if (known && !tone.split(' ').includes(known[1].tone)) problems.push(`${place}: the tag ${known[0]} in the tone ${tone}`);
      if (known && shape && !shape.includes(`shape-${known[1].shape}`)) problems.push(`${place}: the tag ${known[0]} in the shape ${shape}`);
      if (!known) problems.push(`${place}: a verdict tag in no known words: ${text}`);
      if (!shape) problems.push(`${place}: the tag ${text} has no shape`);
    }
    for (const word of found.green) if (!/已见证|WITNESSED/.test(word)) problems.push(`${place}: green for ${word.slice(0, 60)}`);
    for (const { caption, all, end } of found.brackets) {
      brackets += 1;
      const form = BRACKET[lang].findIndex((one) => one.test(caption));
      forms.add(`${form} ${lang}`);
      if (form < 0) problems.push(`${place}: a bracket in no known form: ${caption}`);
      if (!all.includes(MEANING[lang])) problems.push(`${place}: a bracket does not say what it dates`);
      if (/无可证下界|No proven lower bound/.test(caption) && !end) problems.push(`${place}: no lower bound, and the figure's end is closed`);
    }
    for (const { word, dashed, arrow, green } of found.made) {
      if (/^(取得方式不明|acquisition unknown)$/.test(word) && dashed && arrow) continue;
      if (/同一运营方|same operator|代管|server-held/.test(word)) continue;
      tags += 1;
      const away = MADE[lang][word];
      if (away === undefined) problems.push(`${place}: acquisition in no known word: ${word}`);
      else if ((away === 1) !== dashed || (away === 1) !== arrow) problems.push(`${place}: ${word} is ${dashed ? 'dashed' : 'solid'}, arrow ${arrow}`);
      if (green) problems.push(`${place}: ${word} is green`);
    }
    if (/evidence\/[^/?]+$/.test(one.path)) {
      if (found.body.includes('企业相册中的照片')) {
        imported += 1;
        if (found.made.some(({ word }) => word === '现场拍摄' || word === 'captured')) problems.push(`${place}: the photograph from the gallery has the tag of a captured one`);
        if (!found.made.some(({ word }) => word === '导入' || word === 'imported')) problems.push(`${place}: the photograph from the gallery is not marked as imported`);
      }
      limits += 1;
      for (const line of NOT_PROVEN[lang]) if (!found.body.includes(line)) problems.push(`${place}: does not say what is not proven: ${line}`);
    }
  };
  const tell = () => {
    if (!verdicts || !brackets || !tags || !limits || !imported) problems.push(`met ${verdicts} verdicts, ${brackets} brackets, ${tags} tags, ${limits} items, ${imported} imported: each must be met`);
    for (const name of Object.keys(VERDICTS)) for (const lang of ['zh', 'en']) if (!met.has(`${name} ${lang}`)) problems.push(`${name} was met nowhere in ${lang}`);
    if (forms.size < 5) problems.push(`only ${[...forms]} of the forms of the bracket were met`);
    say.all('trust in exact words', problems, `${verdicts} verdicts, ${brackets} brackets, ${tags} tags`);
  };
  return { wants: (one) => one.who === 'supervisor', at, tell };
}
