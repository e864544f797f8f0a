// Nothing moves while a page loads.

export function tour({ say }) {
  const problems = [];
  let seen = 0;
  const at = async (page, one, lang) => {
    seen += 1;
    // The observer hears of a shift with the frame after it.
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const { shift, shifts } = await page.evaluate(() => window.seen);
    if (shift >= 0.01) problems.push(`${one.name} ${lang}: ${shift.toFixed(4)} (${shifts.slice(0, 3)})`);
  };
  return { at, tell: () => say.all('no layout shift while loading', problems, seen) };
}
