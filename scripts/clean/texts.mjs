// A process of Node that keeps the texts of a whole system, as an index or a bundler does: memory that is nearly all text, for speed.
// What it finds are samples in documentation, so it is no clean process.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const TEXTS = /\.(js|mjs|json|md|txt|html|py|rb|pl|pm|php|h|c|xml|css)$/;
const MOST = 300e6;
const kept = new Map();
let all = 0;

function* files(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory()) yield* files(join(folder, entry.name));
    else if (entry.isFile() && TEXTS.test(entry.name)) yield join(folder, entry.name);
  }
}

for (const folder of process.argv.length > 2 ? process.argv.slice(2) : ['/usr/share', '/usr/lib', '/usr/include']) {
  for (const file of files(folder)) {
    if (all > MOST) break;
    const text = readFileSync(file, 'utf8');
    all += text.length;
    kept.set(file, { text, lines: all % 4 ? [] : text.split('\n') });
  }
}
console.log(`ready: ${kept.size} files, ${all} letters`);
setInterval(() => kept.size, 1000);
