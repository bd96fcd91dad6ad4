import type { Readable, Writable } from 'node:stream'
import type { Libraries } from './libraries.ts'
import { nodeLibraries } from './node-libraries.ts'

/** A stream for text: what stdout and stderr are, and what a test puts in their place. */
export type TextOutput = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** Everything outside the program that a command touches. Tests inject fakes. */
export interface Context {
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly libraries: Libraries
  /** How the reader starts this program, for commands in messages that are there to be copied. */
  readonly program: string
  /** Variables of the environment. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Milliseconds that only grow. */
  readonly now: () => number
  /** Calls `handler` at every SIGINT and SIGTERM until the returned function is called. */
  readonly onInterrupt: (handler: (signal: 'SIGINT' | 'SIGTERM') => void) => () => void
  /** Ends the process at once. */
  readonly exit: (code: number) => void
}

/** The process' own streams, signals and clock, and the real libraries. */
export const nodeContext = (): Context => ({
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  libraries: nodeLibraries,
  // What npm started (npx, a script) need not be in the path.
  program: process.env.npm_command === undefined ? 'awq' : 'npx awq',
  environment: process.env,
  now: () => performance.now(),
  onInterrupt: (handler) => {
    process.on('SIGINT', handler)
    process.on('SIGTERM', handler)
    return () => {
      process.off('SIGINT', handler)
      process.off('SIGTERM', handler)
    }
  },
  exit: (code) => process.exit(code),
})
