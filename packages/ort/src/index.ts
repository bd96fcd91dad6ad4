export { cachedSession } from './cached-session.ts'
export { createEngine } from './create-engine.ts'
export { type DeviceKernels, kernelsOf, type MixtureKernel } from './kernels.ts'
export { tensor, zeros } from './tensor.ts'
export { createTurns, type Turns } from './turns.ts'
export type {
  BoundRun,
  Device,
  DeviceLimits,
  DeviceTensor,
  Engine,
  EngineFeatures,
  EngineMemory,
  EngineName,
  EngineOptions,
  Feeds,
  RunOptions,
  Session,
  SessionOptions,
  Targets,
  Tensor,
  TypedArray,
} from './types.ts'
export { type EngineChoice, engineOptionsOf, withEngine } from './with-engine.ts'
