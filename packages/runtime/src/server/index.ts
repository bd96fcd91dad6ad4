export { checkServer } from './check-server.ts'
export { createServer, type RunningServer, type ServerOptions } from './create-server.ts'
export { toFetchHandler } from './fetch-handler.ts'
export { isLoopback } from './hosts.ts'
export { createLogger, type Logger, type LogLevel, logLevels } from './log.ts'
export { type ModelNeeds, modelNeeds } from './model-needs.ts'
export {
  createRegistry,
  type ModelEntry,
  type ModelLease,
  type ModelRegistry,
  type ModelStatus,
  type RegistryOptions,
} from './registry.ts'
export type { HandlerOptions, MetricValues, ServerLimits } from './settings.ts'
