// Charts and places: a drawing says its finding, and the same numbers stand beside it as a table or a list.
import { LANGUAGES } from '../site.mjs';

export async function check({ site, say, pages, town }) {
  const problems = [];
  const met = new Set();
  for (const lang of LANGUAGES) {
    const { context, page } = await site.person('supervisor', { lang });
    const expect = (holds, what) => { if (!holds) problems.push(`${lang}: ${what}`); };
    for (const one of pages.filter((page) => page.who === 'supervisor' && !page.form)) {
      if (!FIGURED.includes(one.route)) continue;
      await site.open(page, one, null);
      for (const figure of await page.evaluate(read)) {
        met.add(figure.kind);
        const at = `${one.name}: ${figure.kind}`;
        for (const wrong of figure.wrong) expect(false, `${at}: ${wrong}`);
        if (figure.kind === 'deadlines') deadlines(figure, (holds, what) => expect(holds, `${at}: ${what}`));
        if (figure.kind === 'stages') stages(figure, (holds, what) => expect(holds, `${at}: ${what}`));
        if (figure.kind === 'place') place(figure, (holds, what) => expect(holds, `${at}: ${what}`));
      }
    }
    await located(site, page, town, expect, met);
    await context.close();
  }
  for (const kind of ['deadlines', 'stages', 'place', 'place with EXIF', 'contact', 'bracket']) if (!met.has(kind)) problems.push(`${kind} was met nowhere`);
  say.all('figures say their numbers', problems, [...met].join(', '));
}

const FIGURED = ['/console/cases', '/console/cases/{case}', '/console/cases/{case}/deadlines', '/console/cases/{case}/evidence/{evidence}', '/console/devices'];

/** Every figure of a page, with what a person who does not see it is told. */
const read = () => [...document.querySelectorAll('figure, .contact')].map((figure) => {
  const svg = figure.querySelector('svg');
  const kind = [...figure.classList].find((name) => ['deadlines', 'stages', 'place', 'contact', 'bracket'].includes(name)) ?? figure.className;
  const text = (node) => node?.textContent.replace(/\s+/g, ' ').trim() ?? '';
  const wrong = [];
  if (svg?.getAttribute('role') === 'img') {
    const named = (svg.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id));
    if (named.length < 2 || named.some((node) => !text(node))) wrong.push('title or description is missing');
    if (named.some((node) => node && !svg.contains(node))) wrong.push('it is named by another drawing');
  } else if (svg?.getAttribute('aria-hidden') !== 'true') wrong.push('a drawing that is neither described nor hidden');
  if (figure.tagName === 'FIGURE' && !text(figure.querySelector('figcaption'))) wrong.push('no finding in words');
  if (kind === 'contact' && !text(figure)) wrong.push('no sentence beside the strip');
  if (figure.querySelector('[style]') || svg?.querySelector('script, foreignObject, image, [href]')) wrong.push('a drawing that loads or styles');
  const rows = [...figure.querySelectorAll('tbody tr')].map((row) => [...row.children].map(text));
  return {
    kind, wrong, caption: text(figure.querySelector('figcaption')), rows,
    bars: [...(svg?.querySelectorAll('rect') ?? [])].filter((bar) => !bar.closest('defs')).length,
    widths: [...figure.querySelectorAll('tbody rect')].map((bar) => Number(bar.getAttribute('width'))),
    points: [...figure.querySelectorAll('ol.points > li')].map(text),
    marks: [...(svg?.querySelectorAll('text[font-weight]') ?? [])].map(text),
    diamonds: figure.querySelectorAll('svg path[transform]').length,
    scale: [...(svg?.querySelectorAll('text') ?? [])].map(text).filter((one) => /^\d+ k?m$/.test(one)),
  };
});

/** The sentence counts what the table lists, and each line of the table is a bar. */
function deadlines({ caption, rows, bars }, expect) {
  // In both languages the thirty days are the other number.
  const counts = caption.match(/\d[\d,]*/g).map((one) => Number(one.replace(',', '')));
  const counted = { coming: /^\d/.test(caption) ? counts[0] : counts[1], overdue: counts[2] };
  const dated = rows.filter(([day]) => /^\d{4}-\d\d-\d\d$/.test(day));
  const sum = (lines) => lines.reduce((all, line) => all + Number(line.at(-1)), 0);
  expect(sum(dated) === counted.coming, `“${caption}”, but the table has ${sum(dated)} that are to come`);
  expect(sum(rows) - sum(dated) === counted.overdue, `“${caption}”, but the table has ${sum(rows) - sum(dated)} overdue`);
  expect(bars === rows.length, `${bars} bars and ${rows.length} lines`);
}

/** Bars are as long as their numbers say, and come to all cases. */
function stages({ caption, rows, widths }, expect) {
  const counts = rows.map((row) => Number(row.at(-1)));
  const total = Number(caption.match(/\d[\d,]*/)?.[0].replace(',', ''));
  expect(counts.reduce((a, b) => a + b, 0) === total, `“${caption}”, but the lines have ${counts}`);
  expect(widths.length === rows.length, `${widths.length} bars and ${rows.length} lines`);
  for (const [n, count] of counts.entries()) {
    const longer = counts.findIndex((other, m) => other > count && widths[m] < widths[n]);
    expect(longer < 0, `${counts[longer]} has a shorter bar than ${count}`);
    expect((count === 0) === (widths[n] === 0), `${count} has a bar of ${widths[n]}`);
  }
}

/** Each mark has its line, with coordinates marked as a claim. */
function place({ points, marks, scale }, expect) {
  expect(marks.length > 0 && marks.length === points.length, `${marks.length} marks and ${points.length} lines`);
  expect(scale.length === 1, `its scale says ${scale}`);
  for (const point of points) expect(/-?\d+\.\d{3,}/.test(point), `a line without coordinates: ${point}`);
}

/** A photograph that says itself where it was taken: its own place beside the tablet's, each told apart by its mark and by its word. */
async function located(site, page, town, expect, met) {
  const gallery = `/console/cases/${town.case}/evidence`;
  await site.open(page, gallery);
  const items = await page.$$eval('main a[href*="/evidence/"]', (all) => [...new Set(all.map((one) => new URL(one.href).pathname))]);
  for (const path of items.filter((path) => path.startsWith(`${gallery}/`))) {
    await site.open(page, path);
    const map = (await page.evaluate(read)).find((figure) => figure.kind === 'place' && figure.points.some((point) => /EXIF/i.test(point)));
    if (!map) continue;
    met.add('place').add('place with EXIF');
    place(map, (holds, what) => expect(holds, `${path}: ${what}`));
    const told = map.points.filter((point) => /EXIF/i.test(point)).length;
    expect(map.diamonds === told, `${path}: ${map.diamonds} marks of files for ${told} lines`);
    expect(await page.locator('figure.place .points .claim').count() === map.points.length, `${path}: a position that is not marked as a claim`);
    return;
  }
}
