/**
 * What tests in a browser ask of Node: results to compare theirs with.
 * @module
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BrowserCommand } from 'vitest/node'

const run = promisify(execFile)

declare module 'vitest/browser' {
  interface BrowserCommands {
    /** Runs a script of `test/browser` on the packages' sources; gives what it prints as JSON. */
    inNode<Result>(script: string, options: object): Promise<Result>
  }
}

/** The command `inNode`: the script gets the options as JSON. */
export const inNode: BrowserCommand<[script: string, options: object]> = async (_, script, options) => {
  const path = fileURLToPath(new URL(`./${script}`, import.meta.url))
  const parameters = ['--conditions', '@awq/source', path, JSON.stringify(options)]
  const { stdout } = await run(process.execPath, parameters, { maxBuffer: 2 ** 28 })
  return JSON.parse(stdout)
}
