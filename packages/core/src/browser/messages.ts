/**
 * What a page and the Worker that quantizes for it say to each other.
 * @module
 */
import { AwqError, type AwqErrorCode, messageOf } from '@awq/tensor'
import type { CompareOptions, CompareRow } from '../compare.ts'
import type { ProgressEvent } from '../progress.ts'
import type { QuantizeOptions, QuantizeResult } from '../quantize.ts'
import type { BrowserOutput } from './place.ts'

/** An error on its way between threads. */
export interface SentError {
  readonly code?: AwqErrorCode | undefined
  readonly message: string
}

/** A folder of the page: its files are asked for through `port`. */
export interface SentFolder {
  readonly name: string
  readonly origin?: { readonly repository: string; readonly revision: string } | undefined
  readonly port: MessagePort
}

/** The options of a task that are plain values. */
type Plain<Options> = Omit<Options, 'model' | 'output' | 'signal' | 'onProgress' | 'onRow' | 'onWarning'>

/** What the page asks for. */
export type Task =
  | {
      readonly name: 'quantize'
      readonly output: BrowserOutput
      readonly options: Plain<QuantizeOptions>
    }
  | { readonly name: 'compare'; readonly options: Plain<CompareOptions> }

/** From the page. */
export type PageMessage =
  | { readonly type: 'begin'; readonly task: Task; readonly model: string | SentFolder }
  | { readonly type: 'abort' }

/** From the Worker. */
export type WorkerMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly event: ProgressEvent }
  | { readonly type: 'row'; readonly row: CompareRow }
  | { readonly type: 'done'; readonly result: QuantizeResult | CompareRow[] }
  | { readonly type: 'failed'; readonly error: SentError }

/** An error as a message can hold it. */
export const sentError = (error: unknown): SentError =>
  AwqError.is(error) ? { code: error.code, message: error.message } : { message: messageOf(error) }

/** The error again, on the other side. */
export const receivedError = ({ code, message }: SentError): Error =>
  code === undefined ? new Error(message) : new AwqError(code, message)
