/**
 * What only some pages need: filters, integrity, interests, a history that stays, and models and engines that do not come
 * from where the package looks for them.
 */
export { FilterCache } from './filter.ts';
export { givenWasm, openGiven } from './given.ts';
export { openStore } from './history_disk.ts';
export { parseFile, surplus, toFile } from './history_file.ts';
export { hashesOf, verify } from './integrity.ts';
export { describeInterests } from './interests.ts';
