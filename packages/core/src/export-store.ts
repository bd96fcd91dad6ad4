/**
 * A finished store in the formats that were asked for.
 * @module
 */
import { checkHolds, openPortable, writableFormat, writeModel } from '@awq/formats'
import { AwqError } from '@awq/tensor'
import { NOT_QUANTIZED_YET, type PlannedParts, plannedModel } from './planned-model.ts'
import type { OnProgress } from './progress.ts'
import type { Workspace } from './workspace.ts'

const STORE = 'awq'

/** Whether nothing but our own store is asked for. */
export const isStoreAlone = (formats: readonly string[]): boolean => formats.length === 1 && formats[0] === STORE

/** @throws AwqError INVALID_ARGUMENT for an empty list, a name that no format has or that comes twice */
export const checkFormatNames = (formats: readonly string[]): void => {
  if (formats.length === 0) throw new AwqError('INVALID_ARGUMENT', 'formats must name at least one format')
  for (const name of formats) writableFormat(name)
  const twice = formats.find((name, index) => formats.indexOf(name) < index)
  if (twice !== undefined) throw new AwqError('INVALID_ARGUMENT', `the format ${twice} is asked for twice`)
}

/**
 * Asks the formats, before hours of work, whether they can hold the model that is going to be made. Scales that nothing
 * can absorb become vectors of their own, which most formats have no place for: these groups stay unscaled then.
 * @returns whether such vectors may be made
 * @throws AwqError UNSUPPORTED with the reasons of a format that cannot hold the model
 */
export const mayScaleVectors = async (
  forms: Omit<PlannedParts, 'scaleVectors'>,
  { formats = [STORE] }: { readonly formats?: readonly string[] | undefined },
): Promise<boolean> => {
  const provenance = { method: '', folded: [], calibration: null, source: { name: '' } }
  const planned = async (scaleVectors: boolean) => await plannedModel({ ...forms, scaleVectors }, provenance)
  let vectors = true
  for (const format of formats) {
    if (format === STORE) continue
    const { problems } = writableFormat(format)
    if ((await foreseen(async () => problems(await planned(true)))).length === 0) continue
    vectors = false
    await foreseen(async () => {
      await checkHolds(await planned(false), format)
      return []
    })
  }
  return vectors
}

/** Reasons that are known beforehand: those that the codes decide come up when the format is written. */
const foreseen = async (ask: () => Promise<string[]>): Promise<string[]> => {
  try {
    return await ask()
  } catch (error) {
    if (error === NOT_QUANTIZED_YET || (error as Error).cause === NOT_QUANTIZED_YET) return []
    throw error
  }
}

/** Writes the store that a workspace holds in every format, and commits these. Returns the bytes of all files. */
export const exportStore = async (
  workspace: Workspace,
  formats: readonly string[],
  { signal, onProgress }: { readonly signal?: AbortSignal | undefined; readonly onProgress: OnProgress },
): Promise<number> => {
  {
    await using model = await openPortable(await workspace.folder(), { signal })
    for (const format of formats) {
      onProgress({ type: 'stage', stage: 'export', message: format })
      await writeModel({ ...model, name: workspace.name }, format, await workspace.exportFolder(format), {
        signal,
        onWarning: (message) => onProgress({ type: 'warning', message }),
        onProgress: ({ name, completed, total }) =>
          onProgress({ type: 'progress', stage: 'export', completed, total, message: name }),
      })
    }
  }
  return await workspace.commitExports(formats)
}
