/**
 * A model cut to its first layers: what a quantizer does for each layer takes as long as in the whole model.
 * @module
 */
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint, type TensorToWrite, writeSafetensors } from '@awq/tensor'
import { fileSink, openFolder } from '@awq/tensor/node'

/** Layers that the configuration of a model speaks of. */
export const layerCount = async (model: string): Promise<number> => {
  const folder = await openFolder(model)
  return (JSON.parse(await folder.readText('config.json')) as { num_hidden_layers: number }).num_hidden_layers
}

/** The layer that a parameter belongs to, as in `model.layers.12.mlp.up_proj.weight`; -1 for embedding, norm and head. */
const layerOf = (name: string): number => Number(/\.(?:layers|h|blocks)\.(\d+)\./.exec(name)?.[1] ?? -1)

/**
 * Writes the first `layers` layers of a model, with its embedding, last norm, head and tokenizer. Tensors keep their bytes.
 * @throws when the model has fewer layers
 */
export const truncateModel = async (model: string, layers: number, output: string): Promise<void> => {
  const all = await layerCount(model)
  if (!(layers > 0 && layers <= all)) throw new Error(`${model} has ${all} layers and can not be cut to ${layers}`)
  const folder = await openFolder(model)
  await mkdir(output, { recursive: true })
  for (const file of await readdir(model))
    if (/^(tokenizer|special_tokens|vocab|merges|generation_config|chat_template)/.test(file))
      await copyFile(join(model, file), join(output, file))
  const config = { ...JSON.parse(await folder.readText('config.json')), num_hidden_layers: layers }
  await writeFile(join(output, 'config.json'), JSON.stringify(config, null, 2))
  await using checkpoint = await openCheckpoint(folder)
  const kept: TensorToWrite[] = [...checkpoint.tensors.values()]
    .filter(({ name }) => layerOf(name) < layers)
    .map((entry) => ({ name: entry.name, dtype: entry.dtype, shape: entry.shape, data: () => entry.read() }))
  await writeSafetensors(kept, await fileSink(join(output, 'model.safetensors')), { metadata: { format: 'pt' } })
}
