// 320 px, 640 px (a window of 1280 at 200 %), and text at 200 %: nothing to scroll sideways but named regions that take focus.

const WIDE = () => {
  const root = document.documentElement;
  const found = [];
  if (root.scrollWidth > root.clientWidth) {
    const edge = root.clientWidth;
    const wide = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > edge + 1 && !one.closest('.scroll,.hidden'));
    found.push(`${root.scrollWidth} > ${edge} (${wide.slice(-2).map((one) => one.tagName + '.' + one.className).join(', ')})`);
  }
  for (const one of document.querySelectorAll('body *')) {
    const style = getComputedStyle(one);
    const scrolls = /auto|scroll/.test(style.overflowX) && one.scrollWidth > one.clientWidth + 1;
    if (scrolls && !(one.tabIndex === 0 && (one.getAttribute('aria-label') || one.getAttribute('aria-labelledby')))) {
      if (!/^(TEXTAREA|INPUT|SELECT|HTML|BODY)$/.test(one.tagName)) found.push(`${one.tagName}.${one.className} scrolls without name or focus`);
    }
  }
  return found;
};

export function tour({ say }) {
  const problems = [];
  let looks = 0;
  const at = async (page, one, lang) => {
    for (const [name, width, text] of [['320 px', 320, ''], ['640 px', 640, ''], ['text 200 %', 1280, '200%'], ['640 px, text 200 %', 640, '200%']]) {
      await page.setViewportSize({ width, height: 900 });
      await page.evaluate((size) => { document.documentElement.style.fontSize = size; }, text);
      for (const found of await page.evaluate(WIDE)) problems.push(`${one.name} ${lang} at ${name}: ${found}`);
      looks += 1;
    }
  };
  return { at, tell: () => say.all('reflow', problems, `${looks} looks`) };
}
