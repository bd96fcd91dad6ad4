/**
 * AutoAWQ's and llm-awq's checkpoints as formats.
 * @module
 */

import type { Format } from '../format.ts'
import { packedForms } from '../packed/checkpoint.ts'
import { transformersUsage } from '../packed/transformers-usage.ts'
import { readAutoAwq } from './autoawq-read.ts'
import { autoAwqProblems, writeAutoAwq } from './autoawq-write.ts'
import { detectLayout } from './tensors.ts'

/** Symmetric matrices have zero points too there: the middle. */
const withZeroPoints: Format['forms'] = (model) => packedForms(model, (spec) => ({ ...spec, symmetric: false }))

/** GEMM, the layout that all readers have. */
export const autoAwqFormat: Format = {
  name: 'autoawq',
  title: '4 bits in the layout of AutoAWQ (GEMM), for transformers, vLLM, SGLang and TGI',
  usage: transformersUsage(
    'vLLM and SGLang read it as it is: `vllm serve OUT`. So does transformers with the packages gptqmodel and accelerate:',
  ),
  recognise: async (folder) => (await detectLayout(folder)) === 'gemm',
  read: (folder, options) => readAutoAwq(folder, 'autoawq', options),
  sees: true,
  problems: (model) => autoAwqProblems(model, 'gemm'),
  forms: withZeroPoints,
  write: (model, into, options) => writeAutoAwq(model, into, 'gemm', options),
}

/** GEMV. */
export const autoAwqGemvFormat: Format = {
  name: 'autoawq-gemv',
  title: '4 bits in the layout of AutoAWQ (GEMV), for AutoAWQ and gptqmodel on CUDA',
  recognise: async (folder) => (await detectLayout(folder)) === 'gemv',
  read: (folder, options) => readAutoAwq(folder, 'autoawq-gemv', options),
  sees: true,
  problems: (model) => autoAwqProblems(model, 'gemv'),
  forms: withZeroPoints,
  write: (model, into, options) => writeAutoAwq(model, into, 'gemv', options),
}

/** GEMV_FAST, which is only read. */
export const autoAwqGemvFastFormat: Format = {
  name: 'autoawq-gemv-fast',
  title: 'AutoAWQ GEMV_FAST',
  recognise: async (folder) => (await detectLayout(folder)) === 'gemv_fast',
  read: (folder, options) => readAutoAwq(folder, 'autoawq-gemv-fast', options),
}

/** Version 2 of llm-awq, which is only read. */
export const llmAwqFormat: Format = {
  name: 'llm-awq',
  title: 'llm-awq, version 2',
  recognise: async (folder) => (await detectLayout(folder)) === 'llm-awq',
  read: (folder, options) => readAutoAwq(folder, 'llm-awq', options),
}
