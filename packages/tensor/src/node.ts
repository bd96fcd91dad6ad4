export { fileSource } from './node/file-source.ts'
export { openFolder } from './node/open-folder.ts'
