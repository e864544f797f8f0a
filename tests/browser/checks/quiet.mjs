// Over the whole run: no request to another origin, no error in the console, no report of the content security policy.

export async function check({ site, say }) {
  say.all('no request elsewhere, no error in the console', [...new Set(site.trouble)]);
}
