/**
 * The files that make a store a model: configuration, tokenizer, manifest.
 * @module
 */
import { folderCompanions } from '@awq/formats'
import { MANIFEST_FILE, type Manifest } from '@awq/quantize'
import type { FoldedGroup } from './block-state.ts'
import type { CalibrationTokens } from './calibration-text.ts'
import type { Method } from './methods.ts'
import { type BitsPlan, commonSpec } from './plan.ts'
import { salientCount } from './salient.ts'
import type { SourceModel } from './source-model.ts'
import type { TablePlan } from './tables.ts'
import type { Workspace } from './workspace.ts'

/** What the manifest is written from. */
export interface ManifestParts {
  readonly model: SourceModel
  readonly workspace: Workspace
  readonly method: Method
  readonly plan: BitsPlan
  readonly tables: readonly TablePlan[]
  readonly folded: readonly FoldedGroup[]
  readonly tokens: CalibrationTokens | undefined
}

/**
 * The model's config.json; a tied head that is stored on its own is no longer tied, and what the source's weights were
 * stored in says nothing of these.
 */
const configText = ({ configText, description }: SourceModel, tables: readonly TablePlan[]): string => {
  const apart = description.config.tiedEmbeddings && tables.length > 1
  if (!apart && description.stored.kind === 'plain') return configText
  const { quantization_config: _, ...config } = JSON.parse(configText)
  return `${JSON.stringify({ ...config, ...(apart ? { tie_word_embeddings: false } : {}) }, null, 2)}\n`
}

/** The last part of a path or hub id: a manifest does not tell where the model lay. */
const baseName = (name: string): string => name.split(/[/\\]/).at(-1) ?? name

/** Writes the files and commits the workspace, the manifest last. Returns the bytes of all files. */
export const writeManifest = async (parts: ManifestParts): Promise<number> => {
  const { model, workspace, plan, tokens } = parts
  const { description, folder } = model
  for (const [file, read] of await folderCompanions(folder)) await workspace.writeFile(file, await read())
  await workspace.writeFile('config.json', configText(model, parts.tables))
  const matrices: Manifest['matrices'] = {}
  for (const table of parts.tables)
    if (table.spec) matrices[table.name] = { ...table.spec, shape: [table.source.shape[0]!, table.source.shape[1]!] }
  for (const [layer, { linears }] of description.blocks.entries())
    for (const { name, shape } of linears) {
      const full = description.parameter(layer, `${name}.weight`)
      const denseColumns = salientCount(parts.method.salient?.fraction ?? 0, shape[1])
      matrices[full] = { ...plan.linears[full]!, shape: [...shape], ...(denseColumns > 0 ? { denseColumns } : {}) }
    }
  const manifest: Manifest = {
    format: 'awq',
    version: 1,
    method: parts.method.name,
    ...(parts.method.salient ? { salient: parts.method.salient } : {}),
    ...commonSpec(description, plan),
    matrices,
    folded: parts.folded.map(({ layer, producer, consumers, ...measures }) => ({
      producer: description.parameter(layer, producer),
      consumers: consumers.map((consumer) => description.parameter(layer, consumer)),
      ...measures,
    })),
    calibration: tokens ? { source: tokens.source, samples: tokens.blocks.length, length: tokens.length } : null,
    source: { name: baseName(folder.name), modelType: description.config.modelType },
  }
  await workspace.writeFile(MANIFEST_FILE, `${JSON.stringify(manifest, null, 1)}\n`)
  return workspace.commit(MANIFEST_FILE)
}
