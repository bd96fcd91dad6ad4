export { topName as cacheFolderName } from './browser/cache-files.ts'
export {
  type CachedModel,
  type CacheOptions,
  type CopyOrigin,
  cachedFolder,
  cachedModels,
  type FolderSource,
  removeCached,
} from './browser/cached-folder.ts'
export { directoryFolder, folderOfFiles } from './browser/directory-folder.ts'
export { filesFolder } from './browser/files-folder.ts'
export { type HubFolderOptions, type HubModel, hubFolder, hubModel } from './browser/hub-folder.ts'
export type { FileHashes, HashedFolder } from './browser/manifest-hashes.ts'
export { type ModelFolderOptions, modelFolder } from './browser/model-folder.ts'
export { freeStorage, onStorage, storageError, storageFull } from './browser/storage-error.ts'
export { type UrlFolderOptions, urlFolder } from './browser/url-folder.ts'
export { createSha256, type Sha256, sha256 } from './sha256.ts'
