// Figures of one browser as tables in Markdown.

const best = (times) => Math.min(...times);
export function median(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.floor(half)] + sorted[Math.ceil(half) - 1]) / 2;
}
const ms = (value) => value.toFixed(value < 10 ? 2 : 1);
const megabytes = (value) => (value ? (value / 1e6).toFixed(2) : '');
const times = (value) => value.toFixed(value < 10 ? 2 : 1);
const row = (...cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(...head), row(...head.map(() => '---')), ...rows].join('\n');

/** Ratios are those of the best times to that of Pique with int8 rows. */
function scanTable(rows) {
  const own = rows.find(({ name }) => name === 'Pique int8');
  const lines = rows.map((each) =>
    row(
      each.name,
      ms(best(each.times)),
      ms(median(each.times)),
      each.own.length > 0 ? ms(best(each.own)) : '',
      own ? times(best(each.times) / best(own.times)) : '',
      each.recall.toFixed(3),
      each.seconds_to_start?.toFixed(1) ?? 'the same',
    ),
  );
  const head = ['engine', 'best, ms', 'median, ms', 'inside, best', 'times int8'];
  return table([...head, 'recall@20', 'start, s'], lines);
}

function coldTable(rows) {
  const own = median(rows.find(({ name }) => name === 'Pique int8').times);
  const lines = rows.map((each) =>
    row(
      each.name,
      ms(median(each.times)),
      ms(best(each.times)),
      times(median(each.times) / own),
      each.bytes.toLocaleString('en-US'),
    ),
  );
  return table(['cold start', 'median, ms', 'best, ms', 'times int8', 'bytes sent'], lines);
}

const heapRow = ({ name, wasm, js, file, unpacked }) =>
  row(
    name,
    megabytes(wasm),
    megabytes(js),
    megabytes(unpacked),
    file ? times(wasm / unpacked) : '',
    megabytes(file),
  );
const HEAP = ['memory, MB', 'WebAssembly', 'JavaScript', 'unpacked file', 'ratio', 'file'];

function millionTable({ rows, heap }) {
  const first = best(rows[0].times);
  const lines = rows.map((each) =>
    row(
      each.count.toLocaleString('en-US'),
      ms(best(each.times)),
      ms(median(each.times)),
      ms(best(each.own)),
      times(best(each.times) / first),
    ),
  );
  const head = ['items, int8', 'best, ms', 'median, ms', 'inside, best', 'times the first'];
  const bytes = table(HEAP, [heapRow({ name: '1,000,000 items, int8', ...heap })]);
  return `${table(head, lines)}\n\n${bytes}`;
}

const TABLES = {
  scan: scanTable,
  cold: coldTable,
  heap: (rows) => table(HEAP, rows.map(heapRow)),
  million: millionTable,
};

/** All that was measured in one browser. */
export function tableOf(result) {
  const parts = Object.entries(TABLES).filter(([part]) => part in result);
  const tables = parts.map(([part, make]) => make(result[part]));
  const missing = result.missing.join(', ');
  const head = missing
    ? `${result.version}; pique export does not have ${missing}`
    : result.version;
  return [`${head}\n`, tables.join('\n\n'), ''].join('\n');
}
