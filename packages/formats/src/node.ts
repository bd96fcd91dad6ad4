/**
 * What `@awq/formats` adds in Node: output folders on disk.
 * @packageDocumentation
 */
export { WRITING } from './folder/unfinished.ts'
export { hashFile, openFolderWriter } from './node/disk-writer.ts'
export { LOCK, lockFolder } from './node/folder-lock.ts'
export { openModelFolder } from './node/open-model-folder.ts'
