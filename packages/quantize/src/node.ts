export { createStore } from './node/create-store.ts'
export { folderSink } from './node/folder-sink.ts'
