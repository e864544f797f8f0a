// Pages that no link leads to: what is confirmed and signed, answers to forms, errors, what is shown once, what passes by.
import crypto from 'node:crypto';
import { approve } from './story.mjs';

/**
 * Makes them: `{ pages, files }` as the crawl has them, with a word for the state. `met` are the crawl's pages, where the forms are
 * found. Nothing is signed here, so the town stays as it is but for what waits.
 */
export async function states(site, town, met) {
  const pages = [], files = [];
  const people = ['supervisor', 'held', 'keyless', 'legal', 'administrator'];
  const desks = Object.fromEntries(await Promise.all(people.map(async (who) => [who, await site.person(who)])));
  const add = (who, route, path, state, more = {}) => pages.push({ who, route, path, state, status: 200, ...more });

  await keys(site, town, desks);
  const links = (route) => [...new Set(met.filter((one) => one.who === 'supervisor' && one.route === route).map((one) => one.path))];
  const first = (route) => links(route)[0] ?? fail(`no page of ${route} was met`);
  const { page } = desks.supervisor;
  const act = (name) => links(`/console/act/${name}`).find((path) => path.includes('?')) ?? first(`/console/act/${name}`);
  const board = first('/console/assign');
  const sources = {
    decide: act('decide'), settle: act('settle'), join: act('join'), freeze: `/console/act/freeze?case=${town.case}`,
    return: act('return'), assign: act('assign'), move: board,
  };
  const sign = '/console/act/sign/{token}';
  const forms = {};
  for (const [name, path] of Object.entries(sources)) {
    await site.open(page, path);
    const form = forms[name] = await filled(page, name === 'move' ? 'form.move' : 'form[data-guard]');
    // What speaks against an assignment is said once, on a page of its own below.
    if (name === 'assign') form.fields.push(['warned', '1']);
    const token = await post(site, desks.supervisor, form);
    add('supervisor', sign, token, name);
    if (name === 'settle') {
      add('supervisor', sign, `${token}?moved=1`, 'to be signed again');
      add('held', sign, await post(site, desks.held, form), 'with a key that the server keeps');
    }
  }

  // Forms that come back, with what was written.
  const answer = (who, at, form, state, status, change) =>
    add(who, null, form.action, state, { status, form: { at, action: form.action, fields: () => change(form.fields) } });
  const without = (...names) => (fields) => fields.filter(([name]) => !names.includes(name));
  const saying = (name, value) => (fields) => [...without(name)(fields), [name, value]];
  for (const [name, change] of [['decide', without('choice')], ['settle', without('way')], ['join', without('way')],
    ['assign', without('officer')], ['return', saying('reason', ' ')], ['freeze', saying('reason', ' ')], ['move', saying('day', '2026-02-30')]]) {
    answer('supervisor', sources[name], forms[name], `${name} came back`, 422, change);
  }
  answer('supervisor', sources.assign, forms.assign, 'what speaks against it', 200, without('warned'));
  answer('supervisor', sources.decide, forms.decide, 'somebody was faster', 409, saying('seen', '0000000000000000'));
  answer('keyless', '/console/keys', forms.settle, 'no key yet', 409, (fields) => fields);
  let strangers = 0;
  add(null, null, '/console/sign-in', 'wrong password', { status: 422, form: {
    action: '/console/sign-in', fields: () => [['user', `nobody-${strangers += 1}`], ['password', 'wrong wrong wrong']] } });
  add('supervisor', null, '/console/password', 'too short', { status: 422, form: {
    action: '/console/password', fields: [['password', town.people.supervisor.password], ['new', 'short'], ['again', 'short']] } });
  add('supervisor', null, '/console/keys/server', 'wrong password', { status: 422, form: {
    at: '/console/keys', action: '/console/keys/server', fields: [['password', 'wrong wrong wrong']] } });
  add('administrator', null, '/console/accounts', 'exists already', { status: 422, form: {
    action: '/console/accounts', fields: [['user', town.people.legal.user], ['name', '重复的人'], ['role', 'legal']] } });

  // Shown once, and when that is over.
  const invited = await post(site, desks.administrator, { action: '/console/enrolment/invite', fields: [['label', '平板 C1'], ['role', 'tablet']] });
  add('administrator', '/console/enrolment', invited, 'a code');
  add('administrator', '/console/enrolment', '/console/enrolment?code=00', 'a code that is over');
  // Another name each time, so that a town that stays can be walked through again.
  const newcomer = `fazhi-${crypto.randomBytes(4).toString('hex')}`;
  const made = await post(site, desks.administrator, { action: '/console/accounts', fields: [['user', newcomer], ['name', '贺一鸣'], ['role', 'legal']] });
  add('administrator', '/console/accounts/one', made, 'a one-time word');
  add('administrator', '/console/accounts/one', `/console/accounts/one?user=${newcomer}&word=00`, 'a word that is over');

  // Errors.
  add('supervisor', null, '/console/no-such', 'no such page', { status: 404 });
  add('supervisor', null, '/console/accounts', 'forbidden', { status: 403 });
  add('legal', null, '/console/worklist/overdue', 'forbidden', { status: 403 });
  add('administrator', null, '/console/cases', 'forbidden', { status: 403 });

  // Nothing is found.
  const nothing = encodeURIComponent('没有这样的字样');
  for (const list of ['/console/cases', '/console/enterprises', '/console/documents', '/console/hearing']) {
    add('supervisor', list, `${list}?q=${nothing}`, 'nothing is found');
  }
  add('administrator', '/console/access', `/console/access?who=${nothing}`, 'nothing is found');
  add('supervisor', '/console/cases/{case}/evidence', `/console/cases/${town.case}/evidence?acquisition=scanned`, 'nothing is found');

  const { here, kept, bundle } = await exported(site, desks.supervisor, `/console/hearing/${town.case}`);
  add('supervisor', '/console/hearing/{case}', here, 'with its result');
  add('supervisor', '/console/hearing/{case}', `/console/hearing/${town.case}?job=kept`, 'while it is made', { kept });
  files.push({ who: 'supervisor', path: bundle, route: '/console/hearing/bundles/{job}', type: 'application/zip',
    status: (await desks.supervisor.context.request.get(site.at(bundle))).status() });

  add('supervisor', null, '/console/settings?shown=judgements', 'every judgement', { kept: await judgements(site, town) });
  for (const one of pages.filter((one) => one.status >= 400)) site.expected.add(one.path);
  for (const { context } of Object.values(desks)) await context.close();
  return { pages, files };
}

function fail(why) {
  throw new Error(why);
}

/** A key for the supervisor, whose private half nobody keeps, and one that the server keeps: their confirm pages look different. */
async function keys(site, town, desks) {
  const { publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const raw = (part) => Buffer.from(part, 'base64url');
  const point = Buffer.concat([Buffer.from([2 + (raw(y)[31] & 1)]), raw(x)]).toString('hex');
  await post(site, desks.supervisor, { action: '/console/keys', fields: [['public', point]] });
  await post(site, desks.held, { action: '/console/keys/server', fields: [['password', town.people.held.password]] });
  approve(town);
}

/** Sends a form without showing it; gives where the answer leads. */
async function post(site, { context }, { action, fields }) {
  const body = new URLSearchParams(fields).toString();
  const answer = await context.request.post(site.at(action), {
    data: body, maxRedirects: 0, headers: { origin: site.origin, 'content-type': 'application/x-www-form-urlencoded' } });
  if (answer.status() !== 303) throw new Error(`${action} answered ${answer.status()}: ${(await answer.text()).slice(0, 2000)}`);
  return answer.headers().location;
}

/** What a person would send: the first of each choice, a reason, whatever is required. */
function filled(page, selector) {
  return page.$eval(selector, (form) => {
    const fields = new Map();
    for (const one of form.elements) {
      if (!one.name || fields.has(one.name)) continue;
      if (one.type === 'radio') fields.set(one.name, one.value);
      else if (one.type === 'checkbox') { if (one.name !== 'item') fields.set(one.name, one.value); }
      else if (one.tagName === 'SELECT') fields.set(one.name, [...one.options].find((option) => option.value)?.value ?? '');
      else if (one.name === 'reason') fields.set(one.name, '依照现场照片认定，理由写得长一些，好看出它怎样换行');
      else if (one.name === 'items') fields.set(one.name, '身份证明\n联系电话');
      else if (one.type === 'date') fields.set(one.name, '2026-12-24');
      else fields.set(one.name, one.value);
    }
    return { action: new URL(form.action).pathname, fields: [...fields] };
  });
}

/** Exports a case; keeps the page as it was while that went on, in both languages. */
async function exported(site, desk, path) {
  const { context, page } = desk;
  const look = async (here, lang) => {
    const answer = await context.request.get(site.at(here), { headers: { 'accept-language': lang } });
    const body = await answer.text();
    const fragment = body.match(/<div id="progress"[\s\S]*?<\/div>/)?.[0] ?? '';
    return { status: 200, headers: plain(answer), body, fragment };
  };
  // It may be over before somebody looks; then it is done again.
  for (let n = 0; n < 10; n += 1) {
    const here = await post(site, desk, { action: path, fields: [] });
    const [zh, en] = await Promise.all([look(here, 'zh-CN'), look(here, 'en')]);
    if (![zh, en].every((one) => one.fragment.includes('<progress'))) continue;
    await site.open(page, here);
    const link = await page.waitForSelector('main a[download]', { timeout: 60_000 });
    return { here, kept: { zh, en }, bundle: await link.getAttribute('href') };
  }
  return fail('no export could be seen while it was made');
}

/** Every judgement, bracket, acquisition, basis and receipt as the console's own components draw them, in the console's own page. */
async function judgements(site, town) {
  const kept = {};
  for (const lang of ['zh', 'en']) {
    const { context } = await site.person('supervisor', { lang });
    const answer = await context.request.get(site.at('/console/settings'), { headers: { 'accept-language': lang } });
    const [before, rest] = (await answer.text()).split(/(?<=<main[^>]*>)/);
    const after = rest.slice(rest.indexOf('</main>'));
    kept[lang] = { status: 200, headers: plain(answer), body: `${before}${town.judgements[lang]}${after}` };
    await context.close();
  }
  return kept;
}

/** The headers of an answer but for those of its way over the wire. */
function plain(answer) {
  const { 'content-encoding': _, 'content-length': __, 'set-cookie': ___, ...rest } = answer.headers();
  return rest;
}
