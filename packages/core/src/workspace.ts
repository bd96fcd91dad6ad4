/**
 * Where a quantization writes: unfinished work under a name of its own, moved to its place when it is whole.
 * @module
 */
import type { StorePlan, StoreWriter } from '@awq/quantize'

/** An output folder while it is being made. */
export interface Workspace extends AsyncDisposable {
  /** What messages call it. */
  readonly name: string
  /** True when it holds work of an interrupted run. */
  readonly unfinished: boolean
  /** Opens the store; `keep` names the tensors that an interrupted run has written. */
  openStore(plan: StorePlan, options: { readonly keep: readonly string[] }): Promise<StoreWriter>
  /** Whole lines of the journal; a torn last line is left out. */
  readJournal(): Promise<string[]>
  /** Replaces the journal; all or nothing. */
  writeJournal(lines: readonly string[]): Promise<void>
  /** Appends a line and waits until it is on the disk. */
  appendJournal(line: string): Promise<void>
  /** Keeps float32 arrays under a name, durable when the promise resolves; replaces what was there. */
  saveArrays(name: string, arrays: readonly Float32Array[]): Promise<void>
  /** The values of `saveArrays`, one after the other. */
  loadArrays(name: string, length: number): Promise<Float32Array>
  writeText(file: string, text: string): Promise<void>
  /** Moves everything to its final name, `last` after all others, and removes the journal. Returns the bytes kept. */
  commit(last: string): Promise<number>
  /** Removes the work of an interrupted run. */
  discard(): Promise<void>
  /** Lets other processes write here again; unfinished work stays. */
  [Symbol.asyncDispose](): Promise<void>
}
