/** A bit for every item, by its number: bit item % 8 of byte item / 8, as the engine takes them. */

/** All 0; `count` items, with room for the two numbers beside them that are none. */
export const makeBits = (count: number) => new Uint8Array(((count + 2) >> 3) + 1);

export function hasBit(bits: Uint8Array, item: number): boolean {
  return ((bits[item >> 3] as number) & (1 << (item & 7))) !== 0;
}

export function setBit(bits: Uint8Array, item: number): void {
  bits[item >> 3] = (bits[item >> 3] as number) | (1 << (item & 7));
}
