/**
 * The families that are built in.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { gemma } from './gemma.ts'
import { gpt2 } from './gpt2.ts'
import { llama } from './llama.ts'
import { opt } from './opt.ts'
import { phi3 } from './phi3.ts'
import { qwen } from './qwen.ts'

export const families: readonly Architecture[] = [llama, qwen, gemma, phi3, gpt2, opt]
