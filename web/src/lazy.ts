/** Files of the package that are imported when they are needed; bundlers make pieces of their own of them. */
import { PiqueError, toPiqueError } from './errors.ts';

export const importEngine = () => named('engine.js', import('pique:engine'));
/** The engine on this thread. */
export const openPort = async () => (await importEngine()).openPort();
export const importNosimd = () => named('core-nosimd.js', import('pique:nosimd'));
export const importBlocks = () => named('blocks.js', import('pique:blocks'));
export const importMore = () => named('more.js', import('pique:more'));

/** @throws PiqueError `HTTP` */
function named<T>(file: string, module: Promise<T>): Promise<T> {
  return module.catch((error) => {
    const message = `${file} of the package could not be imported: ${toPiqueError(error).message}`;
    throw new PiqueError('HTTP', message, { status: 0, cause: error });
  });
}
