import { spawnSync } from 'node:child_process'

/** A command that was run: what it printed, and whether it ended with 0. */
export interface Finished {
  readonly ok: boolean
  readonly output: string
}

/** Runs a command and keeps its output. `echo` prints it as it comes instead. */
export function run(
  command: string,
  parameters: readonly string[],
  options: { cwd?: string; env?: Record<string, string | undefined>; echo?: boolean } = {},
): Finished {
  const { cwd, env, echo = false } = options
  const made = spawnSync(command, parameters, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: echo ? 'inherit' : 'pipe',
    maxBuffer: 64 * 2 ** 20,
  })
  const output = `${made.stdout ?? ''}${made.stderr ?? ''}${made.error ? String(made.error) : ''}`
  return { ok: made.status === 0, output }
}

/** Steps that all run, whatever fails; each prints one line, and a failed one its output. */
export function createSteps(): { step(name: string, work: () => Finished): boolean; summary(): number } {
  let passed = 0
  let failed = 0
  return {
    step(name, work) {
      const start = performance.now()
      let finished: Finished
      try {
        finished = work()
      } catch (error) {
        finished = { ok: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error) }
      }
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      console.log(`${finished.ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
      if (!finished.ok) console.log(finished.output.replaceAll(/^/gm, '    '))
      if (finished.ok) passed += 1
      else failed += 1
      return finished.ok
    },
    summary() {
      console.log(`${passed} passed, ${failed} failed`)
      return failed === 0 ? 0 : 1
    },
  }
}
