/** Models of any number of items whose numbers mean nothing. */
export const WIDTH = 64;
const HIDDEN = 8;

/** A container of `items` with int8 rows and half-precision scales, as `pique export` writes it. */
export function invent(items) {
  const rows = items + 2;
  const tensors = {
    'item.ids.offsets': ['U32', [items + 1]],
    'item.weight.scale': ['F16', [rows]],
    'map.w': ['F16', [WIDTH, WIDTH]],
    'route.noise': ['F16', [20, 4]],
    'mlp.w1': ['F16', [HIDDEN, WIDTH]],
    'mlp.b1': ['F16', [1, HIDDEN]],
    'mlp.w2': ['F16', [WIDTH, HIDDEN]],
    'mlp.b2': ['F16', [1, WIDTH]],
    'item.ids': ['U8', [7 * items]],
    'item.weight': ['I8', [rows, WIDTH]],
  };
  const config = { dim: WIDTH, interests: 4, history: 20, hidden: HIDDEN, cosine: false };
  const header = {
    __metadata__: {
      'pique.version': '1',
      'pique.model': 'mind',
      'pique.config': JSON.stringify({ ...config, bilinear: 'shared', behaviour: 'pool' }),
    },
  };
  let end = 0;
  for (const [name, [dtype, shape]] of Object.entries(tensors)) {
    const size = { U32: 4, F16: 2, U8: 1, I8: 1 }[dtype] * shape.reduce((a, b) => a * b);
    header[name] = { dtype, shape, data_offsets: [end, end + size] };
    end += size;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Math.ceil((8 + text.length) / 64) * 64 - 8;
  const bytes = Buffer.alloc(8 + length + end, ' ');
  bytes.writeBigUInt64LE(BigInt(length), 0);
  text.copy(bytes, 8);
  const at = (name) => header[name].data_offsets.map((offset) => 8 + length + offset);
  for (const [name, [dtype]] of Object.entries(tensors)) {
    const [from, to] = at(name);
    if (dtype === 'F16') new Uint16Array(bytes.buffer, from, (to - from) / 2).fill(0x2c00);
  }
  const offsets = new Uint32Array(bytes.buffer, at('item.ids.offsets')[0], items + 1);
  offsets.forEach((_, i) => {
    offsets[i] = 7 * i;
  });
  const ids = at('item.ids')[0];
  for (let i = 0; i < items; i++) bytes.write(String(i).padStart(7, '0'), ids + 7 * i, 'latin1');
  const table = new Int8Array(bytes.buffer, at('item.weight')[0], rows * WIDTH);
  let state = 1;
  for (let i = WIDTH; i < table.length - WIDTH; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    table[i] = (state >> 24) % 128;
  }
  return bytes;
}
