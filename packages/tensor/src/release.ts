/** What newer engines have: hands the memory on, which to a length of 0 frees it. */
interface Transferable extends ArrayBuffer {
  transfer?(length: number): ArrayBuffer
}

/**
 * Gives the memory of arrays back at once, where the platform can (`ArrayBuffer.prototype.transfer`); they are empty
 * then. Elsewhere, and for arrays that share a buffer with others, the garbage collector does in its own time, which it
 * takes tens of megabytes later. For arrays that nobody reads any more.
 */
export function releaseArrays(arrays: Iterable<Float32Array | Uint8Array>): void {
  for (const { buffer, byteLength } of arrays) {
    const own = byteLength > 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer
    if (own) (buffer as Transferable).transfer?.(0)
  }
}
