// Side files of items (native/data/side_file.h), as safetensors without compression.
import { writeFileSync } from 'node:fs';

/** Tensors are { dtype, shape, bytes }, by name. */
export function writeTensors(path, tensors) {
  const header = {};
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.byteLength] };
    offset += bytes.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((64 - ((8 + text.length) % 64)) % 64, ' ')]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  const parts = Object.values(tensors).map(({ bytes }) => Buffer.from(bytes.buffer));
  writeFileSync(path, Buffer.concat([size, padded, ...parts]));
}

const offsets = (lengths) => {
  const all = new Uint32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) all[i + 1] = all[i] + length;
  return { dtype: 'U32', shape: [all.length], bytes: all };
};

/** The tensors of entries `ids` with several rows each: rows[NAME] has a list of rows for each of them. */
export function sideTensors(ids, rows) {
  const blob = Uint8Array.from(Buffer.from(ids.join('')));
  const tensors = {
    'item.ids': { dtype: 'U8', shape: [blob.length], bytes: blob },
    'item.ids.offsets': offsets(ids.map((id) => Buffer.byteLength(id))),
  };
  for (const [name, lists] of Object.entries(rows)) {
    const flat = lists.flat();
    const bytes = Float32Array.from(flat.flat());
    tensors[name] = { dtype: 'F32', shape: [flat.length, flat[0].length], bytes };
    tensors[`${name}.offsets`] = offsets(lists.map((list) => list.length));
  }
  return tensors;
}
