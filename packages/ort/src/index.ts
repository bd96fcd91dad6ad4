export { cachedSession } from './cached-session.ts'
export { createEngine } from './create-engine.ts'
export { tensor, zeros } from './tensor.ts'
export type {
  Device,
  DeviceTensor,
  Engine,
  EngineFeatures,
  EngineOptions,
  Feeds,
  RunOptions,
  Session,
  SessionOptions,
  Tensor,
  TypedArray,
} from './types.ts'
export { type EngineChoice, withEngine } from './with-engine.ts'
