/**
 * Our own store as a format.
 * @module
 */
import {
  checkSpec,
  MANIFEST_FILE,
  type Manifest,
  matrixEntries,
  openStore,
  type QuantSpec,
  readMatrix,
  type StoredMatrix,
  type StoreEntry,
  type StoreWriter,
} from '@awq/quantize'
import { messageOf } from '@awq/tensor'
import { type DescribedParameter, describedParameters } from './check-model.ts'
import { folderCompanions, writeCompanions } from './folder/companions.ts'
import { describeConfig, readFolderConfig } from './folder/config.ts'
import { configText } from './folder/config-text.ts'
import { openTensorFiles } from './folder/tensor-files.ts'
import type { Format, WriteOptions } from './format.ts'
import { siteNames } from './matrix-names.ts'
import type { Parameter, PortableModel, QuantizedParameter } from './model.ts'
import { usualSpec } from './packed/usual-spec.ts'
import { modelHashes } from './provenance.ts'

/** The spec that most matrices of the blocks have; tables count only where nothing else is quantized. */
const commonSpec = ({ parameters, description }: PortableModel): QuantSpec | undefined => {
  const sites = siteNames(description)
  const matrices = [...parameters].flatMap(([name, parameter]) =>
    parameter.kind === 'quantized' ? [[name, parameter] as const] : [],
  )
  return usualSpec(matrices, (name) => (sites.has(name) ? 1 : 1e-6))
}

const read: Format['read'] = async (folder, { signal } = {}) => {
  const { config } = await readFolderConfig(folder)
  const description = describeConfig(config, `${folder.name}/config.json`)
  const store = await openStore(folder, { signal })
  const quantized = ({
    name,
    shape,
    bits,
    groupSize,
    symmetric,
    denseColumns,
    inputOrder,
  }: StoredMatrix): QuantizedParameter => ({
    kind: 'quantized',
    spec: { bits, groupSize, symmetric },
    shape,
    denseColumns: denseColumns?.indices.length ?? 0,
    inputOrder: inputOrder !== null,
    read: (options) => readMatrix(store, name, options),
  })
  const { format: _, version, bits, groupSize, symmetric, matrices, hashes, ...provenance } = store.manifest
  return {
    name: folder.name,
    format: 'awq',
    config,
    description,
    parameters: new Map<string, Parameter>([
      ...[...store.dense].map(([name, entry]) => [name, { kind: 'float', entry }] as const),
      ...[...store.matrices].map(([name, matrix]) => [name, quantized(matrix)] as const),
    ]),
    companions: await folderCompanions(folder),
    provenance,
    [Symbol.asyncDispose]: () => store.close(),
  }
}

const problems = (model: PortableModel): string[] => {
  const found: string[] = []
  let quantized = 0
  for (const [name, parameter] of model.parameters) {
    if (parameter.kind === 'float') continue
    quantized++
    try {
      checkSpec(parameter.spec)
      matrixEntries(name, parameter.shape, parameter.spec)
    } catch (error) {
      found.push(`${name}: ${messageOf(error)}`)
    }
  }
  if (quantized === 0) found.push('none of its matrices is quantized; use awq quantize')
  return found
}

/** The tensors of a parameter in files of ours; siblings that read the same value lie side by side. */
export const entriesOf = (
  { spec: { name }, parameter }: DescribedParameter,
  sites: ReadonlyMap<string, string>,
): StoreEntry[] => {
  if (parameter.kind === 'float') return [{ name, dtype: parameter.entry.dtype, shape: parameter.entry.shape }]
  return matrixEntries(
    name,
    parameter.shape,
    parameter.spec,
    sites.get(name),
    parameter.denseColumns,
    parameter.inputOrder,
  )
}

/** Writes a parameter whole. */
export const writeParameter = async (
  name: string,
  parameter: Parameter,
  files: StoreWriter,
  { signal }: WriteOptions,
): Promise<void> => {
  if (parameter.kind === 'float') await files.write(name, await parameter.entry.read({ signal }))
  else await files.writeMatrix(name, await parameter.read({ signal }))
}

const write: NonNullable<Format['write']> = async (model, into, options = {}) => {
  const parameters = describedParameters(model)
  const sites = siteNames(model.description)
  const files = await openTensorFiles(
    into,
    parameters.flatMap((parameter) => entriesOf(parameter, sites)),
  )
  const matrices: Manifest['matrices'] = {}
  for (const [index, { spec, parameter }] of parameters.entries()) {
    options.signal?.throwIfAborted()
    await writeParameter(spec.name, parameter, files, options)
    options.onProgress?.({ name: spec.name, completed: index + 1, total: parameters.length })
    if (parameter.kind === 'float') continue
    const { shape, denseColumns, inputOrder } = parameter
    const { bits, groupSize, symmetric } = parameter.spec
    const dense = denseColumns > 0 ? { denseColumns } : {}
    const ordered = inputOrder ? ({ inputOrder: true } as const) : {}
    matrices[spec.name] = { bits, groupSize, symmetric, shape: [...shape], ...dense, ...ordered }
  }
  await files.finish()
  await writeCompanions(model, into)
  await into.writeText('config.json', configText(model.config))
  const manifest: Manifest = {
    format: 'awq',
    version: 1,
    ...commonSpec(model)!,
    matrices,
    ...model.provenance,
    hashes: await modelHashes(into, options),
  }
  await into.writeText(MANIFEST_FILE, `${JSON.stringify(manifest, null, 1)}\n`)
}

/** The store that `awq quantize` writes and `awq run` reads. */
export const awqFormat: Format = {
  name: 'awq',
  title: 'the store of the program awq, which awq run reads',
  usage: ['```sh', 'awq run OUT --prompt "Once upon a time"', '```'].join('\n'),
  sees: true,
  recognise: (folder) => folder.has(MANIFEST_FILE),
  read,
  problems,
  write,
}
