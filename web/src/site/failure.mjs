/** A failure that is told in one line, with the exit code that belongs to it. */
export class Failure extends Error {
  constructor(message, code = 1) {
    super(message);
    this.code = code;
  }
}

/** Why the system refused, in its own words. */
export function because(error) {
  const reasons = {
    ENOENT: 'no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is no folder',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space left',
    EEXIST: 'a file of that name stands there',
  };
  return reasons[error.code] ?? error.message;
}
