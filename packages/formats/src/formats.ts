/**
 * The table of formats. A folder is of the first one that recognises it.
 * @module
 */
import { awqFormat } from './awq-format.ts'
import { compressedTensorsFormat } from './compressed-tensors.ts'
import { floatFormat } from './float-format.ts'
import type { Format } from './format.ts'
import { ggufFormat } from './gguf-format.ts'

/** Every format, in the order in which folders are tried. */
export const formats: readonly Format[] = [
  awqFormat,
  compressedTensorsFormat,
  ggufFormat,
  // Last: config.json and safetensors files are what the others have too.
  floatFormat,
]
