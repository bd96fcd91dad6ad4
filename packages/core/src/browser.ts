/**
 * Quantizing on a page: in a Worker, into the origin's private file system or a folder that its user chose.
 * @packageDocumentation
 */
export { listOutputs, type OutputState, openOutput, outputState, removeOutput } from './browser/outputs.ts'
export type { BrowserOutput } from './browser/place.ts'
export {
  type CompareInWorkerOptions,
  compareInWorker,
  type QuantizeInWorkerOptions,
  quantizeInWorker,
  type WorkerOptions,
} from './browser/quantize-in-worker.ts'
