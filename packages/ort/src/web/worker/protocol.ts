/**
 * What a page and the Worker with its engine say to each other. Values of a device are numbers that the page gives out.
 * @module
 */
import type { OnnxType } from '@awq/onnx'
import { AwqError, type AwqErrorCode, messageOf } from '@awq/tensor'
import type { ValueInfo } from '../../feeds.ts'
import type { DeviceLimits, EngineFeatures, EngineMemory, SessionOptions, Tensor, TypedArray } from '../../types.ts'
import type { WebEngineRequest } from '../engine.ts'

/** A tensor, or the number of one that the Worker holds. */
export type WireValue = Tensor | number

/** A kind of tensor, whose values come back as a result, or the number of one that the Worker holds. */
export type WireTarget = Pick<Tensor, 'dtype' | 'shape'> | number

/** Feeds and targets of runs. */
export interface WireRun {
  readonly session: number
  readonly feeds: Readonly<Record<string, WireValue>>
  readonly fetch: readonly string[]
  readonly into: Readonly<Record<string, WireTarget>>
}

/** Calls that are answered, and their answers. */
export interface Calls {
  start: { readonly request: WebEngineRequest; readonly answer: Started }
  load: { readonly request: WireLoad; readonly answer: { inputs: readonly ValueInfo[]; outputs: readonly ValueInfo[] } }
  run: { readonly request: WireRun; readonly answer: Record<string, Tensor> }
  /** A run that was bound by the notice `bind`, with what its arrays hold now. */
  runBound: {
    readonly request: { readonly bound: number; readonly data: Readonly<Record<string, TypedArray>> }
    readonly answer: Record<string, Tensor>
  }
  read: { readonly request: { readonly handle: number }; readonly answer: Tensor }
  memory: { readonly request: Record<string, never>; readonly answer: EngineMemory | undefined }
  end: { readonly request: { readonly session: number }; readonly answer: undefined }
}

/** Told without an answer: what goes wrong is the answer to the first call that needs it. */
export interface Notices {
  upload: { readonly handle: number; readonly tensor: Tensor }
  allocate: { readonly handle: number; readonly dtype: OnnxType; readonly shape: readonly number[] }
  dispose: { readonly handle: number }
  bind: WireRun & { readonly bound: number }
  unbind: { readonly bound: number }
}

export interface WireLoad {
  readonly session: number
  readonly model: Uint8Array
  readonly options: Omit<SessionOptions, 'signal'>
}

/** What an engine in a Worker is. */
export interface Started {
  readonly threads: number
  readonly features: EngineFeatures
  readonly limits: DeviceLimits | undefined
  /** The byte that ends a run, where memory may be shared. */
  readonly flag: { readonly memory: SharedArrayBuffer; readonly address: number } | undefined
}

type Named<Table, Key extends string> = {
  [Name in keyof Table & string]: { readonly [K in Key]: Name } & { readonly body: unknown }
}[keyof Table & string]

/** From the page: a call has a number, a notice has none. */
export type ToWorker = (Named<Calls, 'call'> & { readonly id: number }) | Named<Notices, 'notice'>

/** An error on its way between threads. */
export interface WireError {
  readonly code: AwqErrorCode | undefined
  readonly message: string
}

/** From the Worker: that it is there, and answers. */
export type FromWorker =
  | { readonly ready: true }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: WireError }

export const toWire = (error: unknown): WireError => ({
  code: AwqError.is(error) ? error.code : undefined,
  message: messageOf(error),
})

export const fromWire = ({ code, message }: WireError): Error =>
  code === undefined ? new Error(message) : new AwqError(code, message)

/** A copy of its own buffer, so that it can be handed over without another one: what is sent would take along all of a view's buffer. */
export function detachable<Data extends TypedArray>(data: Data, transfer: Transferable[]): Data {
  const copy = data.slice() as Data
  transfer.push(copy.buffer as ArrayBuffer)
  return copy
}

/** A tensor with such a copy. */
export const detachableTensor = ({ dtype, shape, data }: Tensor, transfer: Transferable[]): Tensor => ({
  dtype,
  shape: [...shape],
  data: detachable(data, transfer),
})
