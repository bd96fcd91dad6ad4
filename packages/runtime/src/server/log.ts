import { type DestinationStream, pino } from 'pino'

/** What a server needs of a logger; one of pino's is one. */
export interface Logger {
  debug(entry: object, message: string): void
  info(entry: object, message: string): void
  warn(entry: object, message: string): void
  error(entry: object, message: string): void
}

/** Levels of a log, from nothing to everything. */
export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

/** A logger of one JSON object per line (pino), with the time as ISO 8601 and the level as a word. */
export const createLogger = (level: LogLevel, destination?: DestinationStream): Logger => {
  const settings = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return destination ? pino(settings, destination) : pino(settings)
}
