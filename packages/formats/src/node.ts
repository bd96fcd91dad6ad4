/**
 * What `@awq/formats` adds in Node: output folders on disk.
 * @packageDocumentation
 */
export { hashFile, openFolderWriter, WRITING } from './node/disk-writer.ts'
export { LOCK, lockFolder } from './node/folder-lock.ts'
export { openModelFolder } from './node/open-model-folder.ts'
