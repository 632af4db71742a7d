import path from 'node:path';

/** Two folders up are the packages. */
export default { turbopack: { root: path.resolve(import.meta.dirname, '../..') } };
