// A film that a browser plays: VP8 in WebM with an index, drawn and encoded by Chromium itself. The project's own samples are Motion
// JPEG in AVI, which every player of a court plays and no browser does.
//
//   node film.mjs MODULES CHROMIUM OUT.webm
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const [modules, executablePath, out] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, 'node_modules/'))('playwright-core');

const WIDTH = 480, HEIGHT = 360, FPS = 8, SECONDS = 40;
/** Enough for a player to ask for it in parts. */
const BITS = 3_000_000;

/** Draws a camera's walk through a hall of crates and encodes it; a key frame every second. */
const draw = async ({ WIDTH, HEIGHT, FPS, SECONDS, BITS }) => {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const to = canvas.getContext('2d');
  const frames = [];
  let failed = null;
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      frames.push({ at: Math.round(chunk.timestamp / 1000), key: chunk.type === 'key', bytes: btoa(bytes.reduce((text, one) => text + String.fromCharCode(one), '')) });
    },
    error: (error) => { failed = String(error); },
  });
  encoder.configure({ codec: 'vp8', width: WIDTH, height: HEIGHT, bitrate: BITS, framerate: FPS });
  for (let n = 0; n < FPS * SECONDS; n += 1) {
    to.fillStyle = `hsl(${40 + n % 30} 20% 60%)`;
    to.fillRect(0, 0, WIDTH, HEIGHT);
    for (let crate = 0; crate < 60; crate += 1) {
      const x = ((crate * 97 - n * 6) % (WIDTH + 120) + WIDTH + 120) % (WIDTH + 120) - 60, y = 60 + crate * 53 % (HEIGHT - 120);
      to.fillStyle = `hsl(${crate * 47 % 360} 50% ${30 + (crate * 13 + n) % 40}%)`;
      to.fillRect(x, y, 30 + crate % 5 * 12, 30 + crate % 7 * 8);
    }
    // A sensor's noise, so that frames do not come to nothing.
    for (let dot = 0; dot < 1500; dot += 1) {
      to.fillStyle = `rgb(${dot * 31 % 256} ${(dot * 17 + n * 29) % 256} ${(dot * 7 + n * 13) % 256})`;
      to.fillRect((dot * 7919 + n * 104729) % WIDTH, (dot * 6101 + n * 1299709) % HEIGHT, 3, 3);
    }
    to.fillStyle = '#fff';
    to.font = '28px sans-serif';
    to.fillText(`${(n / FPS).toFixed(1)} s`, 16, 40);
    const frame = new VideoFrame(canvas, { timestamp: n * 1e6 / FPS, duration: 1e6 / FPS });
    encoder.encode(frame, { keyFrame: n % FPS === 0 });
    frame.close();
  }
  await encoder.flush();
  if (failed) throw new Error(failed);
  return frames;
};

// Matroska: an element is its id, its length (in one byte where it fits, as real encoders have it, else in eight), its content.
const element = (id, ...content) => {
  const name = Buffer.from(id.toString(16), 'hex'), inside = Buffer.concat(content);
  if (inside.length < 127) return Buffer.concat([name, Buffer.from([0x80 | inside.length]), inside]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(inside.length) | (1n << 56n));
  return Buffer.concat([name, length, inside]);
};
const uint = (id, value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return element(id, bytes);
};
const text = (id, value) => element(id, Buffer.from(value));
const float = (id, value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return element(id, bytes);
};

function webm(frames) {
  const clusters = [];
  for (const frame of frames) {
    if (frame.key) clusters.push({ at: frame.at, blocks: [] });
    const head = Buffer.from([0x81, 0, 0, frame.key ? 0x80 : 0]);
    head.writeInt16BE(frame.at - clusters.at(-1).at, 1);
    clusters.at(-1).blocks.push(element(0xa3, head, Buffer.from(frame.bytes, 'base64')));
  }
  const bodies = clusters.map(({ at, blocks }) => element(0x1f43b675, uint(0xe7, at), ...blocks));
  const info = element(0x1549a966, uint(0x2ad7b1, 1_000_000), float(0x4489, SECONDS * 1000), text(0x4d80, 'fieldseal tests'), text(0x5741, 'fieldseal tests'));
  const track = element(0xae, uint(0xd7, 1), uint(0x73c5, 1), uint(0x83, 1), text(0x86, 'V_VP8'), element(0xe0, uint(0xb0, WIDTH), uint(0xba, HEIGHT)));
  const tracks = element(0x1654ae6b, track);
  // The index stands in front; its own length does not depend on what it says.
  const cues = (from) => {
    let at = from;
    return element(0x1c53bb6b, ...clusters.map((cluster, n) => {
      const point = element(0xbb, uint(0xb3, cluster.at), element(0xb7, uint(0xf7, 1), uint(0xf1, at)));
      at += bodies[n].length;
      return point;
    }));
  };
  const before = info.length + tracks.length + cues(0).length;
  const head = element(0x1a45dfa3, uint(0x4286, 1), uint(0x42f7, 1), uint(0x42f2, 4), uint(0x42f3, 8), text(0x4282, 'webm'), uint(0x4287, 2), uint(0x4285, 2));
  return Buffer.concat([head, element(0x18538067, info, tracks, cues(before), ...bodies)]);
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  const page = await browser.newPage();
  // Encoders are for secure pages only; nothing is asked of a network.
  await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<title>film</title>' }));
  await page.goto('https://film.invalid/');
  fs.writeFileSync(out, webm(await page.evaluate(draw, { WIDTH, HEIGHT, FPS, SECONDS, BITS })));
} finally {
  await browser.close();
}
