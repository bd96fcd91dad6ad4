export { createDirectoryStore } from './browser/create-store.ts'
export {
  copyFile,
  fileHandle,
  findDirectory,
  findFile,
  listFiles,
  moveFile,
  removePath,
  subdirectory,
} from './browser/directory.ts'
export { writeSmallFile } from './browser/small-file.ts'
export { hasSyncFiles, openSyncFile, type SyncFile, writeFully } from './browser/sync-file.ts'
