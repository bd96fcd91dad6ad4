/**
 * Checkpoints that do not work yet, by folder name or by model type, and what each waits for. A test fails when one of
 * them works: this list only gets shorter.
 */
export const waiting: Readonly<Record<string, string>> = {
  phi: 'table',
  gpt_neox: 'table',
  falcon: 'table',
  bloom: 'table',
  mpt: 'table',
  stablelm: 'table',
  starcoder2: 'table',
  cohere: 'table',
  cohere2: 'table',
  olmo: 'table',
  olmo2: 'table',
  granite: 'table',
  smollm3: 'table',
  internlm2: 'table',
  mixtral: 'mixture of experts',
  qwen2_moe: 'mixture of experts',
  qwen3_moe: 'mixture of experts',
  deepseek_v2: 'mixture of experts',
  deepseek_v3: 'mixture of experts',
  gpt_oss: 'mixture of experts',
  'llama-fp8-tensor': 'FP8 weights',
  'llama-fp8-rows': 'FP8 weights',
}
