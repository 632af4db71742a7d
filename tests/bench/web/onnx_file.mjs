// The graph that onnxruntime-web is given, written as the protobuf it is: MatMul of the interests with all items,
// ReduceMax over the interests, TopK.

/** A varint of a number below 2^53. */
function varint(value) {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const block = (field, value) => {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
};
const message = (field, ...parts) => block(field, Buffer.concat(parts));

const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

const FLOAT = 1;
const INT64 = 7;
const OPSET = 13;

/** TensorProto: dims, data_type, name, raw_data. */
const tensor = (name, type, dims, bytes) => [
  ...dims.map((dim) => number(1, dim)),
  number(2, type),
  block(8, name),
  block(9, bytes),
];
/** ValueInfoProto: name, and a type of element type and shape. */
const value = (name, type, dims) => [
  block(1, name),
  message(
    2,
    message(1, number(1, type), message(2, ...dims.map((dim) => message(1, number(1, dim))))),
  ),
];
/** AttributeProto: name, and an integer (type 2) or integers (type 7). */
const attribute = (name, given) =>
  Array.isArray(given)
    ? [block(1, name), ...given.map((each) => number(8, each)), number(20, 7)]
    : [block(1, name), number(3, given), number(20, 2)];
/** NodeProto: input, output, op_type, attribute. */
const node = (operation, inputs, outputs, attributes = {}) => [
  ...inputs.map((name) => block(1, name)),
  ...outputs.map((name) => block(2, name)),
  block(4, operation),
  ...Object.entries(attributes).map(([name, given]) => message(5, ...attribute(name, given))),
];

/** Rows as columns: what stands at (i, j) goes to (j, i). */
function transpose(rows, width) {
  const count = rows.length / width;
  const columns = new Float32Array(rows.length);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < width; j++) columns[j * count + i] = rows[i * width + j];
  }
  return columns;
}

/** How the table stands in the graph: as rows, items x interests; or transposed beforehand, interests x items. */
const FORMS = {
  rows: (rows, count, width) => [
    message(1, ...node('Transpose', ['interests'], ['queries'], { perm: [1, 0] })),
    message(1, ...node('MatMul', ['table', 'queries'], ['products'])),
    message(1, ...node('ReduceMax', ['products'], ['best'], { axes: [1], keepdims: 0 })),
    message(5, ...tensor('table', FLOAT, [count, width], bytesOf(rows))),
  ],
  columns: (rows, count, width) => [
    message(1, ...node('MatMul', ['interests', 'table'], ['products'])),
    message(1, ...node('ReduceMax', ['products'], ['best'], { axes: [0], keepdims: 0 })),
    message(5, ...tensor('table', FLOAT, [width, count], bytesOf(transpose(rows, width)))),
  ],
};

/**
 * The model for `rows`, a Float32Array of count x width: input `interests` (interests, width), outputs `scores` and
 * `items` (top).
 */
export function scanGraph(form, rows, { width, interests, top }) {
  const k = new BigInt64Array([BigInt(top)]);
  const graph = [
    ...FORMS[form](rows, rows.length / width, width),
    message(1, ...node('TopK', ['best', 'k'], ['scores', 'items'], { axis: 0 })),
    block(2, 'scan'),
    message(5, ...tensor('k', INT64, [1], bytesOf(k))),
    message(11, ...value('interests', FLOAT, [interests, width])),
    message(12, ...value('scores', FLOAT, [top])),
    message(12, ...value('items', INT64, [top])),
  ];
  return Buffer.concat([
    number(1, 8), // ir_version
    message(7, ...graph),
    message(8, block(1, ''), number(2, OPSET)),
  ]);
}
