// A folder for what a measurement leaves.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes a temporary folder that goes with the process, also at Ctrl-C. */
export const scratchFolder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'awq-benchmark-'))
  process.on('exit', () => rmSync(path, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  return path
}
