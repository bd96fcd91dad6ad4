/** Memory that a native function reads or writes: an address, the memory under a typed array, or nothing. */
export type NativeMemory = bigint | ArrayBufferView | null

/** A bound function of the C API. `async` runs it on a thread of libuv's pool; its arguments must stay referenced. */
export interface NativeFunction<Parameters extends readonly unknown[], Result> {
  (...parameters: Parameters): Result
  async(...parameters: [...Parameters, (error: unknown, result: Result) => void]): void
}

/** An `OrtStatus *`: null when the call succeeded. */
export type Status = bigint | null

/** The part of koffi that is used; its package may be absent. */
export interface Koffi {
  load(path: string): NativeLibrary
  /** Reads the settings, or changes some. Throws when a library has been loaded before. */
  config(): { readonly async_stack_size: number }
  config(settings: { readonly async_stack_size: number }): unknown
  proto(returns: string, parameters: readonly string[]): unknown
  array(type: string, length: number): unknown
  decode(pointer: bigint, type: unknown): unknown
  /** The address of the memory under a typed array. */
  address(value: ArrayBufferView): bigint
  /** The memory at an address, not copied. */
  view(pointer: bigint, length: number): ArrayBuffer
}

export interface NativeLibrary {
  func(name: string, returns: string, parameters: readonly string[]): (...parameters: unknown[]) => unknown
}
