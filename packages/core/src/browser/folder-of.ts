import { findFile, listFiles } from '@awq/quantize/browser'
import type { Folder } from '@awq/tensor'
import { folderOfFiles, onStorage } from '@awq/tensor/browser'

/** A folder of a browser with the folders in it, opened for reading. */
export const folderOf = (directory: FileSystemDirectoryHandle, name = directory.name): Folder =>
  folderOfFiles(
    name,
    () => listFiles(directory),
    (file) => onStorage(`${name}/${file}`, () => findFile(directory, file)),
  )
