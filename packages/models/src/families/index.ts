/**
 * The families that are built in.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { bloom } from './bloom.ts'
import { cohere } from './cohere.ts'
import { deepseek } from './deepseek.ts'
import { falcon } from './falcon.ts'
import { gemma } from './gemma.ts'
import { gptNeox } from './gpt-neox.ts'
import { gptOss } from './gpt-oss.ts'
import { gpt2 } from './gpt2.ts'
import { granite } from './granite.ts'
import { idefics3 } from './idefics3.ts'
import { internlm2 } from './internlm2.ts'
import { llama } from './llama.ts'
import { llava } from './llava.ts'
import { mixtral } from './mixtral.ts'
import { mpt } from './mpt.ts'
import { olmo } from './olmo.ts'
import { opt } from './opt.ts'
import { paligemma } from './paligemma.ts'
import { phi } from './phi.ts'
import { phi3 } from './phi3.ts'
import { qwen } from './qwen.ts'
import { qwenMoe } from './qwen-moe.ts'
import { qwenVl } from './qwen-vl.ts'
import { smollm3 } from './smollm3.ts'
import { stablelm } from './stablelm.ts'
import { starcoder2 } from './starcoder2.ts'

export const families: readonly Architecture[] = [
  llama,
  qwen,
  gemma,
  phi,
  phi3,
  granite,
  smollm3,
  olmo,
  cohere,
  stablelm,
  starcoder2,
  internlm2,
  falcon,
  gptNeox,
  gpt2,
  opt,
  bloom,
  mpt,
  mixtral,
  qwenMoe,
  deepseek,
  gptOss,
  llava,
  idefics3,
  qwenVl,
  paligemma,
]
