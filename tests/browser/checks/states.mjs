// Each prepared state is what it says: it answers with its status, and a form that came back says what is wrong.

export function tour({ prepared, say }) {
  const problems = [];
  const at = async (page, one, lang, answer) => {
    if (answer.status() !== one.status) problems.push(`${one.name}: answered ${answer.status()}, not ${one.status}`);
    const title = await page.title();
    if ((one.status >= 400) !== title.startsWith(lang === 'zh' ? '错误：' : 'Error: ')) problems.push(`${one.name} ${lang}: its title is ${title}`);
    if (one.status === 422 && !(await page.locator('.summary[role=alert]').isVisible())) problems.push(`${one.name} ${lang}: nothing says what is wrong`);
    if (one.status === 422 && !(await page.evaluate(() => document.activeElement?.matches('.summary')))) problems.push(`${one.name} ${lang}: the focus is not on what is wrong`);
  };
  return { wants: (one) => one.state !== undefined, at, tell: () => say.all('every prepared state is what it says', problems, prepared.pages.length) };
}
