export { createStore } from './node/create-store.ts'
