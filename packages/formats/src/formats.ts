/**
 * The table of formats. A folder is of the first one that recognises it.
 * @module
 */

import { awqFormat } from './awq-format.ts'
import { compressedTensorsFormat } from './compressed-tensors/format.ts'
import { floatFormat } from './float-format.ts'
import type { Format } from './format.ts'
import { ggufFormat } from './gguf/format.ts'
import { genaiFormat } from './onnx/genai.ts'
import { transformersjsFormat } from './onnx/transformersjs.ts'
import { autoAwqFormat, autoAwqGemvFastFormat, autoAwqGemvFormat, llmAwqFormat } from './qweight/autoawq-format.ts'
import { gptqFormat, gptqV1Format, gptqV2Format } from './qweight/gptq-format.ts'

/** Every format, in the order in which folders are tried. */
export const formats: readonly Format[] = [
  awqFormat,
  autoAwqFormat,
  autoAwqGemvFormat,
  autoAwqGemvFastFormat,
  llmAwqFormat,
  compressedTensorsFormat,
  gptqFormat,
  gptqV1Format,
  gptqV2Format,
  ggufFormat,
  transformersjsFormat,
  genaiFormat,
  // Last: config.json and safetensors files are what the others have too.
  floatFormat,
]
