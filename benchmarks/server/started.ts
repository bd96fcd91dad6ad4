// A server in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** A server that listens. */
export interface Started {
  readonly url: string
  readonly process: ChildProcess
  /** Memory in use now, and the most there was, in MiB (Linux; else 0). */
  memory(): { readonly now: number; readonly most: number }
  stop(): Promise<void>
}

const memoryOf = (pid: number): { now: number; most: number } => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024
    return { now: field('VmRSS'), most: field('VmHWM') }
  } catch {
    return { now: 0, most: 0 }
  }
}

/** Starts Node with these arguments and waits for the event `listening`. */
export const startServer = async (parameters: readonly string[]): Promise<Started> => {
  const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${parameters.join(' ')} ended with ${code}`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return
      const event = JSON.parse(line) as { type?: string; url?: string }
      if (event.type === 'listening' && event.url) resolve(event.url)
    })
  })
  return {
    url,
    process: child,
    memory: () => memoryOf(child.pid!),
    async stop() {
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(force)
    },
  }
}
