import type { OnnxType } from '@awq/onnx'

/** Where the arithmetic runs. `'cpu'` means WebAssembly in a browser; `'coreml'` and `'directml'` need the native engine. */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'coreml' | 'directml'

/** What is behind the seam: ONNX Runtime's C API, its binding for Node, or its build for browsers. */
export type EngineName = 'native' | 'onnxruntime-node' | 'onnxruntime-web'

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
   * Where outputs are written, by output name. A tensor given here is the very object returned under that name; a device
   * tensor keeps the output on its device, and the name is not among the results. An engine without
   * `features.inPlaceOutputs` copies. The dtype and shape must be those of the output. An output may be written to the
   * memory of an input where the kernel allows it (the cache of GroupQueryAttention).
   */
  readonly into?: Targets | undefined
  /** The outputs to compute; all of them when absent. */
  readonly fetch?: readonly string[] | undefined
  /**
   * Ends the run: rejects with `signal.reason`. An engine without `features.asyncRun` can not interrupt a run and looks
   * before and after it. What `into` holds is then unspecified.
   */
  readonly signal?: AbortSignal | undefined
  /**
   * Gives the memory that this session's runs have worked in back to the system when this run has ended; the next one
   * takes it anew. A wish, which the native engine grants on the CPU. Default false.
   */
  readonly freeMemory?: boolean | undefined
}

/** Where outputs are written, by output name. */
export type Targets = Readonly<Record<string, Tensor | DeviceTensor>>

/**
 * A run prepared once and done many times: the same feeds and targets, read and written anew each time. Between runs the
 * contents of the feeds' arrays may change, their sizes may not. For loops whose single run is short.
 */
export interface BoundRun {
  /** Results as those of `Session.run`. */
  run(options?: { readonly signal?: AbortSignal | undefined }): Promise<Record<string, Tensor>>
  /** Frees what was prepared, after a run in flight; a second call does nothing, a later `run` is an error. */
  dispose(): void
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
  /** Prepares a run. Throws `INVALID_ARGUMENT` as `run` does. Bound runs end with their session. */
  bind(feeds: Feeds, options?: Omit<RunOptions, 'signal' | 'freeMemory'>): BoundRun
  /** Frees the session; a second call does nothing, a later `run` is an error. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What callers may rely on, so that they can choose the faster way. */
export interface EngineFeatures {
  /** `into` is written by the kernels themselves, without a copy: device tensors where there are `deviceTensors`, else arrays too. */
  readonly inPlaceOutputs: boolean
  /** `run` leaves the calling thread free (bound runs of a few milliseconds may not), and an abort interrupts it. */
  readonly asyncRun: boolean
  /** `upload` and `allocate` place tensors in the memory that kernels work in: the device's own, or WebAssembly's heap. */
  readonly deviceTensors: boolean
  /** `externalDirectory` works: weights are read from files by the engine itself. */
  readonly externalFiles: boolean
  /** Kernels compute with float16; on WebGPU this takes the adapter's `shader-f16`. */
  readonly float16: boolean
}

/** What one buffer of a device may be, in bytes: a tensor beyond it cannot be there. */
export interface DeviceLimits {
  /** The largest buffer (WebGPU's `maxBufferSize`). */
  readonly bufferBytes: number
  /** The largest part of one that a kernel may see (`maxStorageBufferBindingSize`). */
  readonly bindingBytes: number
}

/** Memory that an engine of browsers has needed so far. */
export interface EngineMemory {
  /** The WebAssembly heap, which grows and never shrinks. */
  readonly heapBytes: number
  /** The most bytes of external data that JavaScript has held at a time beside it. */
  readonly pieceBytes: number
}

export interface SessionOptions {
  /** Folder that the graph's external data lies in. ONNX Runtime refuses files, and links to files, outside it. */
  readonly externalDirectory?: string | undefined
  /**
   * External data by the file name that the graph uses: bytes, or a Blob, which may be a slice of a file. In a browser's
   * Worker the ranges of a Blob are read when ONNX Runtime asks for them, one at a time; elsewhere before the session is made.
   */
  readonly externalData?: Readonly<Record<string, Uint8Array | Blob>> | undefined
  /** Prefix of a JSON trace of every kernel, written when the session is disposed. Node only. */
  readonly profile?: string | undefined
  /**
   * Wish for large memory pages under what the session holds, and later under what its bound runs use: for sessions with
   * many weights that run thousands of times. Native engine on Linux; elsewhere without effect. Default false.
   */
  readonly largePages?: boolean | undefined
  /**
   * `false` takes the memory of a run's values one by one instead of as one piece, laid out by the run before, which is
   * taken beside what that run has used: less memory for graphs of few large values. Default true.
   */
  readonly planMemory?: boolean | undefined
  /** `false` runs the graph as written, without ONNX Runtime's graph optimisations. Default true. */
  readonly optimize?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** One ONNX Runtime on one device. */
export interface Engine {
  readonly name: EngineName
  readonly device: Device
  readonly features: EngineFeatures
  /** Threads that one run may use. */
  readonly threads: number
  /** What the device's buffers may be; undefined where ONNX Runtime or the platform does not say. */
  readonly limits?: DeviceLimits | undefined
  /** Memory used so far; undefined where the engine cannot tell. */
  memory?(): Promise<EngineMemory | undefined>
  /** Loads an ONNX model from its bytes. Throws `ENGINE` with ONNX Runtime's own words when it refuses the model. */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>
  /** Hands a tensor to the engine once, for use in many runs. The data must not be changed afterwards. */
  upload(tensor: Tensor): DeviceTensor
  /** A device tensor of unspecified contents, to be written to by runs. Throws `INVALID_ARGUMENT` for a bad shape. */
  allocate(dtype: OnnxType, shape: readonly number[]): DeviceTensor
  /** Frees the engine and its cached sessions (`cachedSession`); others are the caller's to dispose. A later `createSession` or `upload` is an error. */
  dispose(): Promise<void>
}

export interface EngineOptions {
  /** Default `'cpu'`. A device that cannot be had is an error: the CPU never takes over silently. */
  readonly device?: Device | undefined
  /** Threads for one run; default: the parallelism available to the process. */
  readonly threads?: number | undefined
  /** This engine or an error. By default, in Node: the native one, and onnxruntime-node with a warning where it cannot be had. */
  readonly engine?: EngineName | undefined
  /**
   * Native engine only: path of the ONNX Runtime library to load, such as the one of a build with CUDA; default: the
   * environment variable AWQ_ORT_LIBRARY, else the library that onnxruntime-node ships.
   */
  readonly library?: string | undefined
  /** Native engine only: options of the device's execution provider, by ONNX Runtime's names (`device_id` of CUDA). */
  readonly providerOptions?: Readonly<Record<string, string>> | undefined
  /** Native engine only: whether idle threads wait by spinning, which is faster and keeps the cores busy. Default true. */
  readonly spin?: boolean | undefined
  /** Told why another engine than the native one is used; by default a process warning. */
  readonly onWarning?: ((message: string) => void) | undefined
  /**
   * Browser only: whether sessions live in a Worker, so that the page stays free; a function makes the Worker (of the module
   * `@awq/ort/worker`) where a bundler does not find it by itself. Default true on a page, false in a Worker.
   */
  readonly worker?: boolean | (() => Worker) | undefined
  /** Browser only: the URL prefix under which onnxruntime-web's `.wasm` and `.mjs` files are served. */
  readonly wasmPaths?: string | undefined
}
