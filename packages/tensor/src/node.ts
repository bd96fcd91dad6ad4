export { fileSink } from './node/file-sink.ts'
export { fileSource } from './node/file-source.ts'
export { openFolder } from './node/open-folder.ts'
