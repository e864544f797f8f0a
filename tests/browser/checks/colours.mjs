// Forced colours and grey: every verdict is told by its shape and its word, with colour taken away.
import { lightness } from '../png.mjs';
import { walk } from '../site.mjs';

/** Two shapes differ when so large a share of their box does. */
const DIFFER = 0.06;
/** Contrast of a shape with its ground that WCAG asks of graphics. */
const CONTRAST = 3;

export async function check({ site, pages, kinds, say, town }) {
  await told(site, kinds, say);
  await apart(site, pages, say, town);
}

/** Wherever a verdict stands, in forced colours, it has a word and a shape with a colour of its own. */
async function told(site, pages, say) {
  const problems = [];
  let verdicts = 0;
  await walk(site, pages.filter((one) => one.who === 'supervisor'), async (page, one) => {
    await site.open(page, one, null);
    const found = await page.evaluate(() => {
      const seen = (node) => node.getClientRects().length > 0;
      return [...document.querySelectorAll('.verdict, .verdict-tag')].filter(seen).map((node) => ({
        verdict: node.textContent.trim().slice(0, 20), words: node.textContent.trim(), shape: node.querySelector('svg path, svg circle, svg rect, svg line, svg polygon') !== null,
        stroke: [...node.querySelectorAll('svg *')].map((part) => getComputedStyle(part).stroke + getComputedStyle(part).fill).join(),
      }));
    });
    for (const { verdict, words, shape, stroke } of found) {
      verdicts += 1;
      if (!words) problems.push(`${one.name}: ${verdict} has no word`);
      if (!shape) problems.push(`${one.name}: ${verdict} has no shape`);
      if (shape && !/rgb/.test(stroke)) problems.push(`${one.name}: the shape of ${verdict} has no colour of its own in forced colours`);
    }
  }, { options: { forcedColors: 'active' } });
  if (verdicts === 0) problems.push('no verdict was met');
  say.all('verdicts without colour', problems, `${verdicts} verdicts`);
}

/** Every judgement there is, photographed grey and in forced colours: no two look or read alike, and each stands out from its ground. */
async function apart(site, pages, say, town) {
  const problems = [];
  let pairs = 0;
  const all = pages.find((one) => one.state === 'every judgement');
  for (const lang of ['zh', 'en']) {
    for (const look of ['grey', 'grey dark', 'forced']) {
      const { context, page } = await site.person('supervisor', { lang, forcedColors: look === 'forced' ? 'active' : 'none', colorScheme: /dark/.test(look) ? 'dark' : 'light' });
      await site.open(page, all);
      if (look !== 'forced') await page.evaluate(() => { document.documentElement.style.filter = 'grayscale(1)'; });
      const seen = [];
      for (const panel of await page.locator('.verdict').all()) {
        const svg = panel.locator('svg.shape').first();
        const word = (await panel.locator('.verdict-word').innerText()).trim();
        const name = (await svg.getAttribute('class')).match(/shape-([\w-]+)/)?.[1];
        seen.push({ word, name, picture: drawn(lightness(await svg.screenshot())) });
      }
      if (town.pictures) await page.screenshot({ path: `${town.pictures}/judgements-${lang}-${look.replace(' ', '-')}.png`, fullPage: true });
      await context.close();
      for (const { word, picture } of seen) if (picture.contrast < CONTRAST) problems.push(`${word} ${lang} ${look}: contrast ${picture.contrast.toFixed(1)}`);
      for (const [n, one] of seen.entries()) {
        for (const other of seen.slice(n + 1)) {
          // What this version does not know is shown as the worst; the two lawful ones are one kind.
          if (one.word === other.word || (one.name === 'hatched-box' && other.name === 'hatched-box')) continue;
          pairs += 1;
          const share = differing(one.picture, other.picture);
          if (share < DIFFER) problems.push(`${one.word} and ${other.word} ${lang} ${look}: only ${(share * 100).toFixed(1)} % of their shapes differ`);
        }
      }
      if (new Set(seen.map((one) => one.name)).size < 7) problems.push(`only ${seen.map((one) => one.name)} were met`);
    }
  }
  say.all('no two verdicts look alike without colour', problems, `${pairs} pairs`);
}

/** A shape as ink and ground. */
function drawn({ width, height, at }) {
  const all = [];
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) all.push(at(x, y));
  // The corner is ground: no shape fills its box to the corner.
  const ground = all[0];
  const ink = all.reduce((far, one) => (Math.abs(one - ground) > Math.abs(far - ground) ? one : far), ground);
  const linear = (one) => ((one /= 255) <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  const [light, dark] = [linear(ink), linear(ground)].sort((a, b) => b - a);
  return { width, inked: all.map((one) => Math.abs(one - ground) > Math.abs(ink - ground) / 2), contrast: (light + 0.05) / (dark + 0.05) };
}

function differing(one, other) {
  if (one.inked.length !== other.inked.length) return 1;
  return one.inked.filter((ink, n) => ink !== other.inked[n]).length / one.inked.length;
}
