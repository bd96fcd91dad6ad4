/**
 * Calls of the module with its failures as errors, and memory of its heap.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { heapOf, type WasmModule } from './wasm-module.ts'

/** What ONNX Runtime says about its last failure. */
export interface Failure {
  readonly code: number
  readonly message: string
}

/** Room for `words` pointers for the time of `use`, which must not wait. */
export function withWords<T>(module: WasmModule, words: number, use: (pointer: number) => T): T {
  const stack = module.stackSave()
  try {
    return use(module.stackAlloc(4 * words) >>> 0)
  } finally {
    module.stackRestore(stack)
  }
}

export const lastFailure = (module: WasmModule): Failure =>
  withWords(module, 2, (words) => {
    module._OrtGetLastError(words, words + 4)
    const message = module.getValue(words + 4, '*')
    return { code: module.getValue(words, 'i32'), message: message === 0 ? '' : module.UTF8ToString(message) }
  })

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`

/** The error of a heap that has no room; WebAssembly's memory ends at 4 GiB, and the browser may end it before. */
export const outOfMemory = (module: WasmModule, what: string): AwqError =>
  new AwqError(
    'ENGINE',
    `there is no memory to ${what}: WebAssembly holds ${megabytes(heapOf(module).length)} of at most 4096 MiB. ` +
      'Close what is not needed, or use a smaller model or a shorter context',
  )

/** ONNX Runtime's words for memory it could not get. */
const memoryFailure = /bad_alloc|failed to allocate|out of memory/i

/** A failure as an error. `what` completes the sentence "ONNX Runtime could not". */
export const failureError = (module: WasmModule, what: string, failure: Failure): AwqError =>
  memoryFailure.test(failure.message)
    ? outOfMemory(module, what)
    : new AwqError('ENGINE', `ONNX Runtime could not ${what}: ${failure.message} (ORT ${failure.code})`)

/** Throws `ENGINE` unless a call's code is 0. */
export function check(module: WasmModule, code: number, what: string): void {
  if (code !== 0) throw failureError(module, what, lastFailure(module))
}

/** A handle that a call gave. Throws `ENGINE` for 0. */
export function made(module: WasmModule, handle: number, what: string): number {
  if (handle === 0) throw failureError(module, what, lastFailure(module))
  return handle >>> 0
}

/** Memory of the heap, which the caller frees. Throws `ENGINE` when there is none. */
export function allocate(module: WasmModule, bytes: number, what: string): number {
  const pointer = module._malloc(Math.max(bytes, 16))
  if (pointer === 0) throw outOfMemory(module, what)
  return pointer >>> 0
}

/** Text as a C string, which the caller frees. */
export function cString(module: WasmModule, text: string): number {
  const bytes = module.lengthBytesUTF8(text) + 1
  const pointer = allocate(module, bytes, 'take a name')
  module.stringToUTF8(text, pointer, bytes)
  return pointer
}

/** Copies bytes into the heap. */
export function copyIn(module: WasmModule, data: ArrayBufferView, pointer: number): void {
  heapOf(module).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), pointer)
}

/** Copies bytes out of the heap into an array. */
export function copyOut(module: WasmModule, pointer: number, data: ArrayBufferView): void {
  const bytes = heapOf(module).subarray(pointer, pointer + data.byteLength)
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength).set(bytes)
}
