// Bytes of a first load, all requests, as they come over the wire; evidence (its own path) does not count.
import { walk } from '../site.mjs';

const MOST = 100 * 1024;

export async function check({ site, kinds, say }) {
  const problems = [], sizes = [];
  const wires = new Map();
  const desk = async (page) => {
    const wire = await page.context().newCDPSession(page);
    await wire.send('Network.enable');
    await wire.send('Network.setCacheDisabled', { cacheDisabled: true });
    wires.set(page, wire);
  };
  await walk(site, kinds, async (page, one) => {
    const wire = wires.get(page);
    let bytes = 0, requests = 0;
    await site.approach(page, one);
    const evidence = new Set();
    const open = new Set();
    let quiet = () => {};
    const began = ({ requestId, type, request }) => {
      open.add(requestId);
      if (type === 'Media' || (type === 'Image' && /evidence|preview|blob|original/.test(request.url))) evidence.add(requestId);
    };
    const ended = ({ requestId, encodedDataLength }) => {
      if (!evidence.has(requestId)) { bytes += encodedDataLength; requests += 1; }
      closed({ requestId });
    };
    const closed = ({ requestId }) => {
      open.delete(requestId);
      if (!open.size) quiet();
    };
    wire.on('Network.requestWillBeSent', began);
    wire.on('Network.loadingFinished', ended);
    wire.on('Network.loadingFailed', closed);
    await site.arrive(page, one, null);
    if (open.size) await new Promise((all) => { quiet = all; });
    wire.off('Network.requestWillBeSent', began);
    wire.off('Network.loadingFinished', ended);
    wire.off('Network.loadingFailed', closed);
    sizes.push(bytes);
    if (bytes > MOST) problems.push(`${one.name}: ${bytes} bytes in ${requests} requests`);
    if (requests === 0) problems.push(`${one.name}: nothing was counted`);
  }, { desk });
  sizes.sort((a, b) => a - b);
  say.all('first load below 100 KB', problems, `${sizes[0]} to ${sizes.at(-1)} bytes`);
}
