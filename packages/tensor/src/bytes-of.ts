/** The bytes of a view, in its own memory: in native order, which is little-endian wherever this library runs. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)
