import type { OnnxType } from '@awq/onnx'
import { engineLife } from '../../engine-life.ts'
import { type HeldEntry, heldEntries } from '../../held-entries.ts'
import { checkKind, checkTensor } from '../../tensor.ts'
import type { DeviceTensor, Engine, SessionOptions, Tensor } from '../../types.ts'
import { refuseFiles, type WebEngineRequest } from '../engine.ts'
import { checkSize } from '../gpu-limits.ts'
import { clientSession, type LentHandle, orAborted } from './client-session.ts'
import { connect } from './connection.ts'
import { detachable, detachableTensor } from './protocol.ts'

/** External data as it is sent: Blobs as they are, which are not copied, and copies of arrays. */
function sendable(options: SessionOptions, transfer: Transferable[]): Omit<SessionOptions, 'signal'> {
  const { signal: _, externalData, ...others } = options
  if (externalData === undefined) return others
  const data = Object.entries(externalData).map(([name, part]) => [
    name,
    part instanceof Blob ? part : detachable(part, transfer),
  ])
  return { ...others, externalData: Object.fromEntries(data) }
}

interface Entry extends HeldEntry {
  readonly handle: number
}

/**
 * The engine of a page, whose sessions and device tensors live in a Worker; it ends with the engine and its sessions, and
 * all its memory with it.
 * @throws WorkerMissing when the Worker cannot run; AwqError as `createWebEngine`
 */
export async function createClientEngine(worker: Worker, request: WebEngineRequest): Promise<Engine> {
  const connection = await connect(worker)
  const { turns, health } = connection
  let started: Awaited<ReturnType<typeof start>>
  const start = () => connection.call('start', request)
  try {
    started = await start()
  } catch (error) {
    connection.end()
    throw error
  }
  const { threads, features, limits, flag } = started
  const shared = flag && new Uint8Array(flag.memory)
  const interrupt = (): void => {
    if (shared) Atomics.store(shared, flag.address, 1)
  }

  const life = engineLife(() => void turns.take(() => connection.end()))
  let numbers = 0
  const next = (): number => {
    numbers += 1
    return numbers
  }
  const checkAlive = () => {
    life.check()
    health.check()
  }

  const entries = heldEntries<Entry>(
    ({ handle }) => connection.tell('dispose', { handle }),
    ({ handle }) => turns.take(() => connection.call('read', { handle })),
  )
  const hold = (kind: Pick<Tensor, 'dtype' | 'shape'>, name: string) => {
    if (limits) checkSize(limits, kind, name)
    const handle = next()
    return { handle, value: entries.hold(kind, { handle, loans: 0, ended: false }) }
  }

  const engine: Engine = {
    name: 'onnxruntime-web',
    device: request.device,
    threads,
    features: { ...features, asyncRun: true },
    limits,
    memory: () => turns.take(() => connection.call('memory', {})),
    async createSession(model, options = {}) {
      checkAlive()
      options.signal?.throwIfAborted()
      refuseFiles(options)
      const session = next()
      life.began()
      const load = turns.take(async () => {
        options.signal?.throwIfAborted()
        const transfer: Transferable[] = []
        const copy = detachable(model, transfer)
        const described = await connection.call(
          'load',
          { session, model: copy, options: sendable(options, transfer) },
          transfer,
        )
        const lend = (value: DeviceTensor, name: string): LentHandle => {
          const { entry, release } = entries.borrow(value, name)
          return { handle: entry.handle, release }
        }
        return clientSession({ connection, session, described, lend, nextBound: next, interrupt, onEnd: life.ended })
      })
      load.catch(life.ended)
      try {
        return await orAborted(load, options.signal)
      } catch (error) {
        // Loaded for nobody.
        void load.then(
          (unwanted) => unwanted.dispose(),
          () => {},
        )
        throw error
      }
    },
    upload(value) {
      checkAlive()
      checkTensor(value, 'upload')
      const { handle, value: held } = hold(value, 'upload')
      const transfer: Transferable[] = []
      connection.tell('upload', { handle, tensor: detachableTensor(value, transfer) }, transfer)
      return held
    },
    allocate(dtype: OnnxType, shape) {
      checkAlive()
      checkKind(dtype, shape, 'allocate')
      const { handle, value } = hold({ dtype, shape }, 'allocate')
      connection.tell('allocate', { handle, dtype, shape: [...shape] })
      return value
    },
    dispose: () => life.dispose(engine),
  }
  return engine
}
