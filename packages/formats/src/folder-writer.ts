/**
 * Where a model is written to: a folder that appears whole or not at all.
 * @module
 */

/** An output folder while it is being made. */
export interface FolderWriter {
  /** What messages call it. */
  readonly name: string
  /** A small file, whole. */
  writeText(file: string, text: string): Promise<void>
  /** A file of a size known beforehand, whose bytes come at any offset. Folders in the name (`onnx/model.onnx`) are made. */
  createFile(file: string, size: number): Promise<FileWriter>
  /** Makes everything visible under its final name. Returns the bytes of all files. */
  commit(): Promise<number>
  /** Removes what was written. */
  discard(): Promise<void>
}

/** A file while it is being written. */
export interface FileWriter {
  write(offset: number, bytes: Uint8Array): Promise<void>
  /** Resolves when the bytes are on the disk. */
  close(): Promise<void>
}
