import type { OnnxType } from '@awq/onnx'

/** Where the arithmetic runs. `'cpu'` means WebAssembly in a browser. */
export type Device = 'cpu' | 'cuda' | 'webgpu'

/** The arrays that hold tensor data; float16 and bfloat16 travel as their bits in a `Uint16Array`, bool as `Uint8Array`. */
export type TypedArray = Float32Array | Uint16Array | Uint8Array | Int8Array | Int32Array | BigInt64Array | Float64Array

/** A dense row-major tensor in CPU memory. `data.length` is the product of `shape`; a scalar has the shape `[]`. */
export interface Tensor {
  readonly dtype: OnnxType
  readonly shape: readonly number[]
  readonly data: TypedArray
}

/** A tensor that an engine holds, in its device's memory when it has one (`location`). Made by `Engine.upload`. */
export interface DeviceTensor {
  readonly dtype: OnnxType
  readonly shape: readonly number[]
  readonly location: 'cpu' | 'device'
  /** Copies the values to CPU memory. Throws `INVALID_ARGUMENT` after `dispose`. */
  read(): Promise<Tensor>
  /** Frees the memory; a second call does nothing. */
  dispose(): void
}

/** The values of a run by input name. */
export type Feeds = Readonly<Record<string, Tensor | DeviceTensor>>

export interface RunOptions {
  /**
   * Tensors that outputs are written to, by output name: the tensor returned under that name is this very object. An
   * engine without `features.inPlaceOutputs` copies. The dtype and shape must be those of the output.
   */
  readonly into?: Readonly<Record<string, Tensor>> | undefined
  /** The outputs to compute; all of them when absent. */
  readonly fetch?: readonly string[] | undefined
  /** Checked before and after the run (a run itself cannot be interrupted); rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** A loaded graph. Runs of one session do not overlap: a second call waits for the first one. */
export interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /**
   * Runs the graph. Throws `INVALID_ARGUMENT` for feeds that do not fit the graph's inputs (before the engine sees
   * them) and `ENGINE` with ONNX Runtime's own words when the run fails; on WebGPU in browsers the session ends with it.
   */
  run(feeds: Feeds, options?: RunOptions): Promise<Record<string, Tensor>>
  /** Frees the session; a second call does nothing, a later `run` is an error. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What callers may rely on, so that they can choose the faster way. */
export interface EngineFeatures {
  /** `into` is written by the kernels themselves, without a copy. */
  readonly inPlaceOutputs: boolean
  /** `run` leaves the calling thread free. */
  readonly asyncRun: boolean
  /** `upload` places tensors in the device's own memory. */
  readonly deviceTensors: boolean
  /** `externalDirectory` works: weights are read from files by the engine itself. */
  readonly externalFiles: boolean
}

export interface SessionOptions {
  /** Folder that the graph's external data lies in. ONNX Runtime refuses files, and links to files, outside it. */
  readonly externalDirectory?: string | undefined
  /** External data in memory by the file name that the graph uses. */
  readonly externalData?: Readonly<Record<string, Uint8Array>> | undefined
  /** Prefix of a JSON trace of every kernel, written when the session is disposed. Node only. */
  readonly profile?: string | undefined
  /** `false` runs the graph as written, without ONNX Runtime's graph optimisations. Default true. */
  readonly optimize?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** One ONNX Runtime on one device. */
export interface Engine {
  readonly name: 'onnxruntime-node' | 'onnxruntime-web' | 'native'
  readonly device: Device
  readonly features: EngineFeatures
  /** Threads that one run may use. */
  readonly threads: number
  /** Loads an ONNX model from its bytes. Throws `ENGINE` with ONNX Runtime's own words when it refuses the model. */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>
  /** Hands a tensor to the engine once, for use in many runs. The data must not be changed afterwards. */
  upload(tensor: Tensor): DeviceTensor
  /** Frees the engine and its cached sessions (`cachedSession`); others are the caller's to dispose. A later `createSession` or `upload` is an error. */
  dispose(): Promise<void>
}

export interface EngineOptions {
  /** Default `'cpu'`. A device that cannot be had is an error: the CPU never takes over silently. */
  readonly device?: Device | undefined
  /** Threads for one run; default: the parallelism available to the process. */
  readonly threads?: number | undefined
  /** Browser only: the URL prefix under which onnxruntime-web's `.wasm` and `.mjs` files are served. */
  readonly wasmPaths?: string | undefined
}
