/**
 * onnxruntime-web's WebAssembly module: ONNX Runtime's C API made flat. The package's own JavaScript over it copies every
 * tensor on its way in and out, so the engine calls the module itself. The declarations are those of version 1.30's
 * `lib/wasm/wasm-types.ts`; pointers and handles are numbers, 0 is failure.
 * @module
 */

/** What the module does for WebGPU; there once `webgpuInit` was called. */
export interface WasmGpu {
  webgpuInit(setDefaultDevice: (device: GPUDevice) => void): void
  /** Announces the device of the session that is made next: its number, instance and handle are options of the provider. */
  webgpuRegisterDevice(device: GPUDevice): readonly [id: number, instance: number, device: number]
  /** Ends what `webgpuRegisterDevice` began; 0 for a session that was not made. */
  webgpuOnCreateSession(session: number): void
  webgpuOnReleaseSession(session: number): void
  /** A pointer that stands for a buffer, counted. */
  webgpuRegisterBuffer(buffer: GPUBuffer, session: number): number
  webgpuUnregisterBuffer(buffer: GPUBuffer): void
}

/** The functions of the module that the engine calls. Those that may wait for a GPU give promises then. */
export interface WasmModule extends Partial<WasmGpu> {
  /** The heap as of the last call that looked at it; `heapOf` looks. */
  readonly HEAPU8: Uint8Array
  readonly HEAPU32: Uint32Array
  _malloc(bytes: number): number
  _free(pointer: number): void
  stackSave(): number
  stackAlloc(bytes: number): number
  stackRestore(stack: number): void
  getValue(pointer: number, type: 'i8' | 'i32' | '*'): number
  UTF8ToString(pointer: number): string
  lengthBytesUTF8(text: string): number
  stringToUTF8(text: string, pointer: number, bytes: number): void
  mountExternalData(name: string, data: Uint8Array | Blob): void
  unmountExternalData(): void
  asyncInit?(): void

  _OrtInit(threads: number, severity: number): number
  _OrtGetLastError(code: number, message: number): number
  _OrtFree(pointer: number): number
  _OrtCreateSessionOptions(
    optimization: number,
    arena: boolean,
    memoryPattern: boolean,
    executionMode: number,
    profiling: boolean,
    profilePrefix: number,
    logId: number,
    severity: number,
    verbosity: number,
    optimizedPath: number,
  ): number
  _OrtAddSessionConfigEntry(options: number, key: number, value: number): number
  _OrtAppendExecutionProvider(
    options: number,
    name: number,
    keys: number,
    values: number,
    count: number,
  ): number | Promise<number>
  _OrtReleaseSessionOptions(options: number): number
  _OrtCreateSession(model: number, bytes: number, options: number): number | Promise<number>
  _OrtReleaseSession(session: number): number
  _OrtGetInputOutputCount(session: number, inputs: number, outputs: number): number
  _OrtGetInputOutputMetadata(session: number, index: number, name: number, metadata: number): number
  _OrtCreateTensor(type: number, data: number, bytes: number, dims: number, rank: number, location: number): number
  _OrtGetTensorData(tensor: number, type: number, data: number, dims: number, rank: number): number
  _OrtReleaseTensor(tensor: number): number
  _OrtCreateRunOptions(severity: number, verbosity: number, terminate: boolean, tag: number): number
  _OrtReleaseRunOptions(options: number): number
  _OrtRun(
    session: number,
    inputNames: number,
    inputs: number,
    inputCount: number,
    outputNames: number,
    outputCount: number,
    outputs: number,
    runOptions: number,
  ): number | Promise<number>
}

/** Makes a module; the default export of onnxruntime-web's `ort-wasm-*.mjs`. */
export type ModuleFactory = (settings: {
  readonly numThreads: number
  readonly locateFile: () => string
}) => Promise<WasmModule>

/** Where a tensor's data is, as `_OrtCreateTensor` wants it. */
export const dataLocation = { cpu: 1, gpuBuffer: 4 } as const

/** The heap as it is now: it may have grown, also on another thread. */
export function heapOf(module: WasmModule): Uint8Array {
  // Reading a value makes the module look.
  module.getValue(0, 'i8')
  return module.HEAPU8
}
