/**
 * What differs between Node and a browser; `#platform` resolves to one of the implementations.
 * @module
 */

import type { RgbImage } from '@awq/image'
import type { Folder } from '@awq/tensor'
import type { TextDocument } from '@awq/text'
import type { Workspace } from './workspace.ts'

/** A download's progress, in bytes. */
export interface DownloadEvent {
  readonly file: string
  readonly loaded: number
  readonly total: number
}

/** Files, folders and memory of the platform. */
export interface Platform {
  /** A model by path or hub id. */
  resolveFolder(
    reference: string,
    options: { readonly signal?: AbortSignal | undefined; readonly onProgress?: (event: DownloadEvent) => void },
  ): Promise<Folder>
  /** Texts by path or data-set name. */
  openTexts(
    reference: string,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<AsyncIterable<TextDocument>>
  /** An image by its name, in a folder where names are relative; absent where there are no files. */
  readonly readNamedImage:
    | ((
        name: string,
        folder: string | undefined,
        options: { readonly signal?: AbortSignal | undefined },
      ) => Promise<RgbImage>)
    | undefined
  /** The output folder at a path. @throws AwqError `EXISTS` when it holds something else than unfinished work */
  openWorkspace(path: string): Promise<Workspace>
  /** A folder that is removed when disposed. */
  temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable>
  /** The most memory the process has used, in bytes; undefined where that cannot be known. */
  peakRssBytes(): number | undefined
  /** Frees the memory of objects that nobody refers to, where that can be asked for. */
  collectGarbage(): void
}
