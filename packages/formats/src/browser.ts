export { directoryWriter } from './browser/directory-writer.ts'
export { hashBlob } from './browser/hash-blob.ts'
