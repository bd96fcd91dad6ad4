import { AwqError } from '@awq/tensor'
import { checkFeeds, checkOutputs, isDeviceTensor } from '../../feeds.ts'
import type { DeviceTensor, Feeds, RunOptions, Session, Targets, Tensor, TypedArray } from '../../types.ts'
import type { Connection } from './connection.ts'
import { type Calls, detachable, detachableTensor, type WireRun } from './protocol.ts'

/** A device tensor lent to runs. */
export interface LentHandle {
  readonly handle: number
  release(): void
}

export interface ClientParts {
  readonly connection: Connection
  /** Number of the session. */
  readonly session: number
  readonly described: Calls['load']['answer']
  readonly lend: (value: DeviceTensor, name: string) => LentHandle
  /** A new number for a bound run. */
  readonly nextBound: () => number
  /** Ends the run that the Worker is at. */
  readonly interrupt: () => void
  readonly onEnd: () => void
}

/** The outcome of a call, or the signal's reason as soon as it is aborted; the call is then over in secret. */
export async function orAborted<T>(
  call: Promise<T>,
  signal: AbortSignal | undefined,
  onAbort: () => void = () => {},
): Promise<T> {
  if (!signal) return call
  signal.throwIfAborted()
  let stop: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      onAbort()
      reject(signal.reason)
    }
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([call, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Feeds and targets with the device tensors lent. */
function lendAll(parts: ClientParts, feeds: Feeds, fetch: string[], into: Targets) {
  const lent: LentHandle[] = []
  const release = () => {
    for (const one of lent.splice(0)) one.release()
  }
  const handleOf = (value: DeviceTensor, name: string): number => {
    const one = parts.lend(value, name)
    lent.push(one)
    return one.handle
  }
  try {
    const handles = Object.fromEntries(
      Object.entries(feeds).flatMap(([name, value]) =>
        isDeviceTensor(value) ? [[name, handleOf(value, `input ${name}`)]] : [],
      ),
    )
    const targets: WireRun['into'] = Object.fromEntries(
      Object.entries(into).map(([name, value]) => [
        name,
        isDeviceTensor(value) ? handleOf(value, `into ${name}`) : { dtype: value.dtype, shape: [...value.shape] },
      ]),
    )
    const wire = (transfer: Transferable[]): WireRun => {
      const arrays = Object.entries(feeds).filter((entry): entry is [string, Tensor] => !isDeviceTensor(entry[1]))
      const tensors = Object.fromEntries(arrays.map(([name, value]) => [name, detachableTensor(value, transfer)]))
      return { session: parts.session, feeds: { ...handles, ...tensors }, fetch, into: targets }
    }
    return { wire, release }
  } catch (error) {
    release()
    throw error
  }
}

/** Results as the caller wants them: what has a target is copied there. */
function place(results: Record<string, Tensor>, into: Targets): Record<string, Tensor> {
  for (const [name, value] of Object.entries(results)) {
    const target = into[name]
    if (!target || isDeviceTensor(target)) continue
    ;(target.data as Uint8Array).set(value.data as Uint8Array)
    results[name] = target
  }
  return results
}

/** A session that lives in a Worker. */
export function clientSession(parts: ClientParts): Session {
  const { connection, described, nextBound, interrupt, onEnd } = parts
  const { turns } = connection
  const { inputs, outputs } = described
  const unbinds = new Set<() => void>()
  let disposed: Promise<void> | undefined

  const checkAlive = (call: string) => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', `${call}: the session has been disposed`)
  }

  /** One run in its turn. An abort rejects at once; the turn ends when the Worker is free again. */
  const inTurn = (start: () => Promise<Record<string, Tensor>>, into: Targets, signal: AbortSignal | undefined) => {
    let running = false
    const run = turns.take(async () => {
      signal?.throwIfAborted()
      running = true
      try {
        const results = await start()
        signal?.throwIfAborted()
        return place(results, into)
      } finally {
        running = false
      }
    })
    return orAborted(run, signal, () => {
      if (running) interrupt()
    })
  }

  const session: Session = {
    inputNames: inputs.map(({ name }) => name),
    outputNames: outputs.map(({ name }) => name),
    async run(feeds, options: RunOptions = {}) {
      checkAlive('run')
      const { into = {}, fetch, signal } = options
      signal?.throwIfAborted()
      checkFeeds(inputs, feeds)
      const { wire, release } = lendAll(parts, feeds, checkOutputs(outputs, fetch, into), into)
      const start = async () => {
        try {
          const transfer: Transferable[] = []
          const request = wire(transfer)
          return await connection.call('run', request, transfer)
        } finally {
          release()
        }
      }
      return inTurn(start, into, signal)
    },
    bind(given, { into: targets = {}, fetch } = {}) {
      checkAlive('bind')
      const [feeds, into] = [{ ...given }, { ...targets }]
      checkFeeds(inputs, feeds)
      const { wire, release } = lendAll(parts, feeds, checkOutputs(outputs, fetch, into), into)
      const bound = nextBound()
      const transfer: Transferable[] = []
      connection.tell('bind', { ...wire(transfer), bound }, transfer)
      const unbind = () => {
        if (!unbinds.delete(unbind)) return
        // After the runs in flight.
        void turns.take(() => {
          connection.tell('unbind', { bound })
          release()
        })
      }
      unbinds.add(unbind)
      const arrays = Object.entries(feeds).filter((entry): entry is [string, Tensor] => !isDeviceTensor(entry[1]))
      const devices = [...Object.values(feeds), ...Object.values(into)].filter(isDeviceTensor)
      const start = () => {
        // A tensor that its owner has disposed lives on for this loan, but is of no use any more.
        for (const value of devices) parts.lend(value, 'run').release()
        const moved: Transferable[] = []
        const data: Record<string, TypedArray> = {}
        for (const [name, value] of arrays) data[name] = detachable(value.data, moved)
        return connection.call('runBound', { bound, data }, moved)
      }
      return {
        async run({ signal } = {}) {
          checkAlive('run')
          if (!unbinds.has(unbind)) throw new AwqError('INVALID_ARGUMENT', 'run: the bound run has been disposed')
          signal?.throwIfAborted()
          return inTurn(start, into, signal)
        },
        dispose: unbind,
      }
    },
    dispose() {
      disposed ??= (async () => {
        for (const unbind of [...unbinds]) unbind()
        await turns.take(async () => {
          if (!connection.health.failure) await connection.call('end', { session: parts.session })
          onEnd()
        })
      })()
      return disposed
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
  return session
}
