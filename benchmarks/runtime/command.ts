// Runs one command to its end, output to the terminal.
import { spawn } from 'node:child_process'

/** Throws when the command can not start or fails. */
export const run = async (
  command: string,
  parameters: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<void> => {
  console.error(`> ${command} ${parameters.join(' ')}`)
  const child = spawn(command, parameters, {
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && command === 'npm',
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { ...process.env, ...options.env },
  })
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (status !== 0) throw new Error(`${command} ended with ${status}`)
}
