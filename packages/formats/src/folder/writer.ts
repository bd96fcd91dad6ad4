/**
 * Where a model is written to: a folder that appears whole or not at all.
 * @module
 */
import { AwqError, quoted } from '@awq/tensor'

/** An output folder while it is being made. */
export interface FolderWriter {
  /** What messages call it. */
  readonly name: string
  /** A small file, whole. */
  writeText(file: string, text: string): Promise<void>
  /** A file of a size known beforehand, whose bytes come at any offset. Folders in the name (`onnx/model.onnx`) are made. */
  createFile(file: string, size: number): Promise<FileWriter>
  /**
   * Another name for a file that is written and closed: where the disk can, both share the same bytes.
   * @throws AwqError NOT_FOUND when there is no `existing`
   */
  linkFile(file: string, existing: string): Promise<void>
  /** SHA-256 of every file written so far, in hexadecimal, by name. Files must be closed. */
  hashes(options?: { readonly signal?: AbortSignal | undefined }): Promise<Record<string, string>>
  /**
   * Makes everything visible under its final name, what was written last appearing last: a format writes the file by which
   * it is recognised at the end. Returns the bytes of all files.
   */
  commit(): Promise<number>
  /** Removes what was written. After `commit` it does nothing. */
  discard(): Promise<void>
}

/** A file while it is being written. */
export interface FileWriter {
  write(offset: number, bytes: Uint8Array): Promise<void>
  /** Resolves when the bytes are on the disk. */
  close(): Promise<void>
}

/**
 * Checks the name of a new file: relative, within the folder, and new, also where upper and lower case are the same.
 * @param taken names so far, in lower case; the new one is added
 * @throws AwqError INVALID_ARGUMENT
 */
export const claimFile = (folder: string, taken: Set<string>, file: string): void => {
  const bad = file.split('/').some((part) => part === '' || part === '.' || part === '..')
  if (bad || /[\\:\0]/.test(file))
    throw new AwqError('INVALID_ARGUMENT', `${folder}: ${quoted(file)} is not the name of a file within the folder`)
  const key = file.toLowerCase()
  if (taken.has(key)) throw new AwqError('INVALID_ARGUMENT', `${folder}: two files would be named ${quoted(file)}`)
  taken.add(key)
}

/** @throws AwqError INVALID_ARGUMENT when bytes do not fit a file of `size` */
export const checkPlace = (file: string, size: number, offset: number, length: number): void => {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > size)
    throw new AwqError('INVALID_ARGUMENT', `${file}: ${length} bytes at ${offset} do not fit its ${size} bytes`)
}

/** Writes a small file, whole. */
export const writeBytes = async (into: FolderWriter, file: string, bytes: Uint8Array): Promise<void> => {
  const writer = await into.createFile(file, bytes.length)
  await writer.write(0, bytes)
  await writer.close()
}
