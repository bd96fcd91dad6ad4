export { createStore } from './node/create-store.ts'
export { diskError, diskFull } from './node/disk-error.ts'
export { freeBytes } from './node/folder-sink.ts'
