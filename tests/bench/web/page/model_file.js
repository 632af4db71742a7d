// A model file as tensors, for the page and for Node: what the peers are given comes from the file that Pique loads.

/** Tensors and metadata of a model file with float rows. */
export async function readModel(bytes) {
  const gunzip = new DecompressionStream('gzip');
  const packed = new Uint8Array(bytes);
  const plain =
    packed[0] === 0x1f
      ? await new Response(new Blob([packed]).stream().pipeThrough(gunzip)).arrayBuffer()
      : bytes;
  const size = Number(new DataView(plain).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(plain, 8, size)));
  const { __metadata__: about, ...entries } = header;
  const bytesOf = (name) => {
    const [start, end] = entries[name].data_offsets;
    return plain.slice(8 + size + start, 8 + size + end);
  };
  const tensors = {};
  for (const [name, { dtype, shape }] of Object.entries(entries)) {
    if (dtype === 'F32') tensors[name] = { shape, values: new Float32Array(bytesOf(name)) };
  }
  /** A list of texts, such as the ids of the items. */
  const strings = (name) => {
    const [bytes, ends] = [bytesOf(name), new Uint32Array(bytesOf(`${name}.offsets`))];
    const text = (i) =>
      new TextDecoder().decode(new Uint8Array(bytes, ends[i], ends[i + 1] - ends[i]));
    return Array.from({ length: ends.length - 1 }, (_, i) => text(i));
  };
  return { tensors, about, strings };
}

/**
 * The interests that ComiRec (self-attention) has for a history of item numbers, oldest first: K rows of D. Plain
 * loops in double precision, apart from the engine, so that equal lists say something.
 */
export function interestsOf({ tensors }, history) {
  const of = (name) => tensors[name].values;
  const [items, places, w1, b1, w2] = [
    'item.weight',
    'position.w',
    'attention.w1',
    'attention.b1',
    'attention.w2',
  ].map(of);
  const [hidden, width] = tensors['attention.w1'].shape;
  const [count] = tensors['attention.w2'].shape;
  const logits = history.map((item, t) => {
    const age = history.length - 1 - t;
    const a = Array.from({ length: hidden }, (_, h) => {
      let sum = b1[h];
      for (let j = 0; j < width; j++) {
        sum += w1[h * width + j] * (items[item * width + j] + places[age * width + j]);
      }
      return Math.tanh(sum);
    });
    return Array.from({ length: count }, (_, k) =>
      a.reduce((sum, value, h) => sum + value * w2[k * hidden + h], 0),
    );
  });
  return Array.from({ length: count }, (_, k) => {
    const most = Math.max(...logits.map((row) => row[k]));
    const parts = logits.map((row) => Math.exp(row[k] - most));
    const all = parts.reduce((sum, part) => sum + part, 0);
    return Array.from({ length: width }, (_, j) =>
      history.reduce((sum, item, t) => sum + (parts[t] / all) * items[item * width + j], 0),
    );
  });
}
