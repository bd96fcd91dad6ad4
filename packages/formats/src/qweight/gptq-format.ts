/**
 * GPTQ, the checkpoints of AutoGPTQ and gptqmodel, as formats.
 * @module
 */

import type { Format } from '../format.ts'
import { packedForms } from '../packed/checkpoint.ts'
import { transformersUsage } from '../packed/transformers-usage.ts'
import { readGptq } from './gptq-read.ts'
import { gptqProblems, gptqV1Problems, usualVersion, writeGptq } from './gptq-write.ts'
import { detectLayout } from './tensors.ts'

/** Version 1 where all matrices are symmetric, else version 2. */
export const gptqFormat: Format = {
  name: 'gptq',
  title:
    'integers of 2, 3, 4 and 8 bits for gptqmodel, transformers and vLLM (version 2 where matrices have zero points)',
  usage: transformersUsage(
    'vLLM reads it where all matrices are symmetric and have 4 or 8 bits: `vllm serve OUT`; transformers with the packages ' +
      'gptqmodel and optimum:',
  ),
  recognise: async (folder) => (await detectLayout(folder)) === 'gptq',
  read: readGptq,
  sees: true,
  problems: gptqProblems,
  forms: (model) => packedForms(model),
  write: (model, into, options) => writeGptq(model, into, usualVersion(model), options),
}

/** Version 1, which programs without version 2 read. */
export const gptqV1Format: Format = {
  name: 'gptq-v1',
  title: 'GPTQ version 1, for programs that have no version 2; no zero point may be 0',
  sees: true,
  problems: gptqV1Problems,
  forms: (model) => packedForms(model),
  write: (model, into, options) => writeGptq(model, into, 1, options),
}

/** Version 2. */
export const gptqV2Format: Format = {
  name: 'gptq-v2',
  title: 'GPTQ version 2, for gptqmodel and what builds on it',
  sees: true,
  problems: gptqProblems,
  forms: (model) => packedForms(model),
  write: (model, into, options) => writeGptq(model, into, 2, options),
}
