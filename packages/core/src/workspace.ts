/**
 * Where a quantization writes: unfinished work under a name of its own, moved to its place when it is whole.
 * @module
 */
import type { FolderWriter } from '@awq/formats'
import type { StorePlan, StoreWriter } from '@awq/quantize'
import type { Folder } from '@awq/tensor'

/** Arrays on their way to the disk, beside other work. */
export interface ArrayWriter extends AsyncDisposable {
  /** Writes an array behind those before it. Its values must not change until `finish` has resolved. */
  append(values: Float32Array): void
  /** Waits until all is on the disk, and puts it in the place of what was there. Rejects with what went wrong. */
  finish(): Promise<void>
}

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
  /** Begins to keep float32 arrays under a name; what was there stays until they are whole. */
  writeArrays(name: string): Promise<ArrayWriter>
  /** Fills arrays with the values of `writeArrays`, one after the other. */
  readArrays(name: string, into: readonly Float32Array[]): Promise<void>
  /** A small file, whole: text as UTF-8. */
  writeFile(file: string, content: string | Uint8Array): Promise<void>
  /** SHA-256 of the files that the model will have, in hexadecimal. */
  hashes(options?: { readonly signal?: AbortSignal | undefined }): Promise<Record<string, string>>
  /** The unfinished work as a folder: what it holds can be opened before it is committed. */
  folder(): Promise<Folder>
  /** A folder of this name for the model in another format; `commitExports` moves it to its place. */
  exportFolder(name: string): Promise<FolderWriter>
  /** Moves everything to its final name, `last` after all others, and removes the journal. Returns the bytes kept. */
  commit(last: string): Promise<number>
  /**
   * Moves exported folders to their place and removes all else: one to the output itself, several each to a folder of its
   * name. Returns the bytes kept.
   */
  commitExports(names: readonly string[]): Promise<number>
  /** Removes the work of an interrupted run. */
  discard(): Promise<void>
  /** Lets other processes write here again; unfinished work stays. */
  [Symbol.asyncDispose](): Promise<void>
}
