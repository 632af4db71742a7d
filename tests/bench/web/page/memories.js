// Runs before everything else on a page: keeps every WebAssembly.Memory that the page makes or gets from a module,
// so that `wasmBytes()` can tell what they hold.
{
  const memories = new Set();
  const keep = (object) => {
    for (const each of Object.values(object ?? {})) {
      if (each instanceof Memory) memories.add(each);
      else if (each && Object.getPrototypeOf(each) === Object.prototype) keep(each);
    }
  };
  const { Memory } = WebAssembly;
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (source, imports) => {
      keep(imports);
      const result = await original.call(WebAssembly, source, imports);
      keep((result.instance ?? result).exports);
      return result;
    };
  }
  globalThis.wasmBytes = () =>
    [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}
