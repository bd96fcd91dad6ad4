/**
 * The journal of a quantization: which blocks are in the store, so that an interrupted run can go on; before there are any,
 * what was measured for a plan.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { FoldedGroup } from './block-state.ts'
import type { PlannedModel } from './plan-model.ts'
import type { BlockRecord } from './record.ts'
import type { Sensitivities } from './sensitivity.ts'
import type { Workspace } from './workspace.ts'

/** What must be equal for a run to be continued: a hash of it stands in the journal's first line. */
export type JournalKey = Readonly<Record<string, string | number | boolean | null>>

/** A finished block. */
export interface JournalBlock {
  readonly layer: number
  readonly folded: readonly FoldedGroup[]
  /** There when the run was asked for a record. */
  readonly record?: BlockRecord | undefined
}

/** Hexadecimal SHA-256 of bytes. */
export const sha256 = async (bytes: Uint8Array): Promise<string> => {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const parseLine = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/**
 * The finished blocks of an interrupted run.
 * @throws AwqError `INVALID_ARGUMENT` when the journal was written with other options, naming them
 */
export const readJournal = async (workspace: Workspace, key: JournalKey): Promise<JournalBlock[]> => {
  const [first, ...lines] = (await workspace.readJournal()).map(parseLine)
  if (first === undefined || 'measured' in (first as object)) return []
  const written = (first as { key?: JournalKey }).key ?? {}
  const changed = [...new Set([...Object.keys(key), ...Object.keys(written)])].filter(
    (name) => written[name] !== key[name],
  )
  if (changed.length > 0)
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${workspace.name}: the interrupted run had another ${changed.join(', ')}; ` +
        'repeat its options to resume it, or leave out --resume to start over',
    )
  const blocks: JournalBlock[] = []
  for (const line of lines as JournalBlock[]) {
    if (line?.layer !== blocks.length) break
    blocks.push(line)
  }
  return blocks
}

/**
 * Writes the journal anew, with the blocks that are taken over: what follows them, such as a torn line, would hide the
 * lines appended behind it.
 * @param plan the plan for a target size, kept for `journaledPlan`
 */
export const beginJournal = (
  workspace: Workspace,
  key: JournalKey,
  blocks: readonly JournalBlock[],
  plan?: PlannedModel,
): Promise<void> =>
  workspace.writeJournal([plan ? { key, plan } : { key }, ...blocks].map((line) => JSON.stringify(line)))

/** The plan that an interrupted run for the same target made: measuring it anew would cost time, and might differ. */
export const journaledPlan = async (workspace: Workspace, target: string): Promise<PlannedModel | undefined> => {
  const [first] = (await workspace.readJournal()).map(parseLine)
  const { key, plan } = (first ?? {}) as { key?: JournalKey; plan?: PlannedModel }
  return key?.target === target ? plan : undefined
}

/** What a planning that is interrupted leaves for the one that takes its place. */
export interface KeptMeasurements {
  /** What was measured under the same key. */
  read(key: JournalKey): Promise<Sensitivities | undefined>
  write(key: JournalKey, measured: Sensitivities): Promise<void>
}

/**
 * Keeps a planner's measurements where the journal of the quantization will be, which takes their place when it begins.
 * @param resume false: what is there is of no use
 */
export const measurementsIn = (workspace: Workspace, resume: boolean): KeptMeasurements => {
  const first = async () => (resume ? parseLine((await workspace.readJournal())[0] ?? '') : undefined)
  return {
    async read(key) {
      const { measured } = ((await first()) ?? {}) as { measured?: { key: JournalKey; sensitivities: Sensitivities } }
      return measured && JSON.stringify(measured.key) === JSON.stringify(key) ? measured.sensitivities : undefined
    },
    async write(key, sensitivities) {
      // Blocks that are quantized already, for another plan, are not thrown away before anybody was told.
      const begun = ((await first()) ?? {}) as { key?: JournalKey }
      if (begun.key === undefined) await workspace.writeJournal([JSON.stringify({ measured: { key, sensitivities } })])
    },
  }
}
