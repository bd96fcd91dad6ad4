import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** Runs a script of `scripts/` beside this file in a process of its own, on the packages' sources. */
export function runScript(
  name: string,
  parameters: readonly string[] = [],
  nodeOptions: readonly string[] = [],
): Promise<{ output: string; code: number | string | null }> {
  const script = join(import.meta.dirname, 'scripts', name)
  const child = spawn(process.execPath, ['--conditions=@awq/source', ...nodeOptions, script, ...parameters])
  let output = ''
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString()
  })
  child.stderr.on('data', (text: Buffer) => {
    output += text.toString()
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ output, code: code ?? signal }))
  })
}
