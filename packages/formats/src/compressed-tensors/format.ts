/**
 * compressed-tensors, the checkpoints of llm-compressor, as a format.
 * @module
 */

import { peekFolderConfig } from '../folder/config.ts'
import type { Format } from '../format.ts'
import { packedForms } from '../packed/checkpoint.ts'
import { transformersUsage } from '../packed/transformers-usage.ts'
import { readCompressedTensors } from './read.ts'
import { compressedTensorsProblems, writeCompressedTensors } from './write.ts'

/** Of 8-bit floating point: read as floats (`float-format.ts`). */
const FLOAT = /^float-quantized$/

const recognise: Format['recognise'] = async (folder) => {
  const { quantization } = (await peekFolderConfig(folder)) ?? {}
  if (quantization?.quant_method !== 'compressed-tensors' || FLOAT.test(String(quantization.format))) return false
  // Written for 8-bit floats and for integers alike.
  if (quantization.format === 'naive-quantized') return !/"type":\s*"float"/.test(JSON.stringify(quantization))
  return true
}

/** Packed integers of 1 to 8 bits are read, and int8; packed ones of 2, 3, 4 and 8 bits are written. */
export const compressedTensorsFormat: Format = {
  name: 'compressed-tensors',
  title: 'packed integers of 2 to 8 bits for vLLM and transformers',
  usage: transformersUsage(
    'vLLM reads it as it is: `vllm serve OUT`. So does transformers with the package compressed-tensors:',
  ),
  recognise,
  read: readCompressedTensors,
  sees: true,
  problems: compressedTensorsProblems,
  forms: (model) => packedForms(model),
  write: writeCompressedTensors,
}
