/** A file of blocks: gzip members whose headers state their sizes; the first one is the head. */

/** Bytes of a member's header up to the end of its size: gzip's ten, and the extra field "PQ". */
export const MEMBER_HEADER = 20;

/** The size of the member that begins so; 0 when it does not state one. */
export function memberSize(start: Uint8Array): number {
  if (start.length < MEMBER_HEADER) return 0;
  const view = new DataView(start.buffer, start.byteOffset);
  const isGzip = view.getUint32(0) === 0x1f8b0804; // deflated, with extra fields
  const isSized = view.getUint16(10) === 0x0800 && view.getUint32(12) === 0x50510400; // eight bytes: PQ, four
  return isGzip && isSized ? view.getUint32(16, true) : 0;
}

/** A block of item rows: a gzip member of the file. */
export interface Block {
  /** Its first item, and how many rows it has. */
  first: number;
  rows: number;
  /** Where its member begins behind the head's, and its bytes. */
  offset: number;
  size: number;
}
