/**
 * The files that make a store a model: configuration, tokenizer, model card, manifest.
 * @module
 */
import { awqFormat, CARD_FILE, configText, folderCompanions, modelCard, sourceOf } from '@awq/formats'
import { MANIFEST_FILE, type Manifest, type Provenance } from '@awq/quantize'
import type { FoldedGroup } from './block-state.ts'
import { type CalibrationTokens, calibrationFacts } from './calibration-text.ts'
import type { Method } from './methods.ts'
import { commonSpec } from './plan.ts'
import { type PlannedParts, plannedModel, quantizedConfig } from './planned-model.ts'
import { salientCount } from './salient.ts'
import { visionMatrices } from './vision-tensors.ts'
import type { Workspace } from './workspace.ts'

/** What the manifest is written from. */
export interface ManifestParts extends Omit<PlannedParts, 'salient'> {
  readonly workspace: Workspace
  readonly method: Method
  readonly folded: readonly FoldedGroup[]
  readonly tokens: CalibrationTokens | undefined
  /** The command that is at work. */
  readonly command?: string | undefined
  /** What was measured with the finished model. */
  readonly evaluation?: Provenance['evaluation']
}

const provenanceOf = (parts: ManifestParts): Provenance => {
  const { model, method, tokens, command, evaluation } = parts
  const { description, folder } = model
  return {
    method: method.name,
    ...(method.salient ? { salient: method.salient } : {}),
    folded: parts.folded.map(({ layer, producer, consumers, ...measures }) => ({
      producer: description.parameter(layer, producer),
      consumers: consumers.map((consumer) => description.parameter(layer, consumer)),
      ...measures,
    })),
    calibration: tokens ? calibrationFacts(tokens) : null,
    source: sourceOf(folder, description),
    ...(command === undefined ? {} : { commands: [command] }),
    ...(evaluation ? { evaluation } : {}),
  }
}

/** Writes the files that stand beside the weights, the manifest last. */
export const writeManifest = async (parts: ManifestParts, signal?: AbortSignal): Promise<void> => {
  const { model, workspace, plan, method, tables, vision } = parts
  const { description, folder } = model
  for (const [file, read] of await folderCompanions(folder)) await workspace.writeFile(file, await read())
  const config = quantizedConfig(model, tables)
  await workspace.writeFile('config.json', config ? configText(config) : model.configText)
  const matrices: Manifest['matrices'] = {}
  for (const table of tables)
    if (table.spec) matrices[table.name] = { ...table.spec, shape: [table.source.shape[0]!, table.source.shape[1]!] }
  const salient = method.salient?.fraction ?? 0
  for (const [layer, { linears }] of description.blocks.entries())
    for (const { name, shape } of linears) {
      const full = description.parameter(layer, `${name}.weight`)
      const denseColumns = salientCount(salient, shape[1])
      matrices[full] = { ...plan.linears[full]!, shape: [...shape], ...(denseColumns > 0 ? { denseColumns } : {}) }
    }
  Object.assign(matrices, visionMatrices(vision))
  const provenance = provenanceOf(parts)
  const forms = await plannedModel({ ...parts, salient }, provenance)
  const { [MANIFEST_FILE]: _, [CARD_FILE]: card, ...hashes } = await workspace.hashes({ signal })
  await workspace.writeFile(CARD_FILE, modelCard({ ...forms, format: awqFormat }))
  const manifest: Manifest = {
    format: 'awq',
    version: 1,
    ...commonSpec(description, plan),
    matrices,
    ...provenance,
    hashes,
  }
  await workspace.writeFile(MANIFEST_FILE, `${JSON.stringify(manifest, null, 1)}\n`)
}
