/**
 * Which checkpoint an interrupted run was of, told without reading it all.
 * @module
 */
import { modelParameters } from '@awq/models'
import { sha256 } from './journal.ts'
import type { SourceModel } from './source-model.ts'
import { seesImages } from './vision-tensors.ts'

/**
 * Hash over name, dtype, shape, place and first row of every parameter. The rows tell a model from its fine-tuned
 * descendants, which agree in all else.
 */
export const checkpointHash = async ({ checkpoint, description }: SourceModel): Promise<string> => {
  const inventory: unknown[] = []
  const vision = seesImages({ checkpoint, description }) ? description.vision!.parameters : []
  for (const { name } of [...modelParameters(description), ...vision]) {
    const entry = checkpoint.tensors.get(name)
    if (!entry) continue // Optional: a vector that float checkpoints leave out.
    const { dtype, shape, file, offset } = entry
    const first = await entry.read(shape.length > 1 ? { rows: [0, 1] } : {})
    inventory.push([name, dtype, shape, file, offset, await sha256(first)])
  }
  return sha256(new TextEncoder().encode(JSON.stringify(inventory)))
}
