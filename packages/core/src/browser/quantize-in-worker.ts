/**
 * Quantizing on a page, which stays free meanwhile.
 * @module
 */
import type { CompareOptions, CompareRow } from '../compare.ts'
import type { QuantizeOptions, QuantizeResult } from '../quantize.ts'
import { type BrowserOutput, checkOutput } from './place.ts'
import { plainOptions, runInWorker } from './run-in-worker.ts'

/** How the Worker is had. */
export interface WorkerOptions {
  /**
   * Makes the Worker, of the module `@awq/core/worker`; for pages whose bundler does not follow
   * `new Worker(new URL(…, import.meta.url))` into packages.
   */
  readonly worker?: (() => Worker) | undefined
}

/** Options of `quantizeInWorker`. */
export interface QuantizeInWorkerOptions extends Omit<QuantizeOptions, 'output' | 'worker'>, WorkerOptions {
  /**
   * A path in the origin's private file system, or a folder that the user chose (`showDirectoryPicker({ mode: 'readwrite'
   * })`). Unfinished work lies in the private file system in either case, and is moved or copied to its place at the end.
   */
  readonly output: BrowserOutput
}

/** Options of `compareInWorker`. */
export interface CompareInWorkerOptions extends Omit<CompareOptions, 'worker'>, WorkerOptions {}

/** Where the engine looks for its files is said relative to the page. */
const absolute = (path: string | undefined) =>
  path === undefined ? {} : { wasmPaths: new URL(path, globalThis.document?.baseURI).href }

/**
 * `quantize` in a Worker: the same options, events and result; the page stays responsive. An abort ends the Worker, at once
 * if need be; `resume` continues from the last finished block, also after the tab was closed.
 * @throws AwqError as `quantize`; INVALID_ARGUMENT for options with functions in them (methods, strategies and objectives of
 * your own), UNSUPPORTED where the page has no private file system or may not start the Worker, EXISTS when another tab is
 * writing to the same output, IO when the storage is full or the permission for a folder has ended
 */
export const quantizeInWorker = async (options: QuantizeInWorkerOptions): Promise<QuantizeResult> => {
  const { model, output, worker, signal, onProgress, onWarning, wasmPaths, ...rest } = options
  const task = {
    name: 'quantize',
    output: checkOutput(output),
    options: plainOptions({ ...rest, ...absolute(wasmPaths) }),
  } as const
  return (await runInWorker(task, { model, worker, signal, onProgress, onWarning })) as QuantizeResult
}

/**
 * `compare` in a Worker. The quantized models lie in the private file system while it runs.
 * @throws AwqError as `compare` and `quantizeInWorker`
 */
export const compareInWorker = async (options: CompareInWorkerOptions): Promise<CompareRow[]> => {
  const { model, worker, signal, onProgress, onRow, onWarning, wasmPaths, ...rest } = options
  const task = { name: 'compare', options: plainOptions({ ...rest, ...absolute(wasmPaths) }) } as const
  return (await runInWorker(task, { model, worker, signal, onProgress, onRow, onWarning })) as CompareRow[]
}
