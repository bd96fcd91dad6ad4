// llama.cpp's own library, as node-llama-cpp ships it, called through koffi: no compiler, no binding in between.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import koffi from 'koffi'

/** Layouts of llama.h of llama.cpp v0.5.0, the release in node-llama-cpp 3.22.1; enums are 32 bits wide. */
const modelParameters = koffi.struct('llama_model_params', {
  devices: 'void *',
  tensor_buft_overrides: 'void *',
  n_gpu_layers: 'int32_t',
  split_mode: 'int32_t',
  load_mode: 'int32_t',
  lazy_mode: 'int32_t',
  main_gpu: 'int32_t',
  tensor_split: 'void *',
  progress_callback: 'void *',
  progress_callback_user_data: 'void *',
  kv_overrides: 'void *',
  vocab_only: 'bool',
  check_tensors: 'bool',
  use_extra_bufts: 'bool',
  no_host: 'bool',
  no_alloc: 'bool',
  load_mtp: 'bool',
})
const contextParameters = koffi.struct('llama_context_params', {
  n_ctx: 'uint32_t',
  n_batch: 'uint32_t',
  n_ubatch: 'uint32_t',
  n_seq_max: 'uint32_t',
  n_rs_seq: 'uint32_t',
  n_outputs_max: 'uint32_t',
  n_outputs_max_per_seq: 'uint32_t',
  n_threads: 'int32_t',
  n_threads_batch: 'int32_t',
  ctx_type: 'int32_t',
  rope_scaling_type: 'int32_t',
  pooling_type: 'int32_t',
  attention_type: 'int32_t',
  flash_attn_type: 'int32_t',
  rope_freq_base: 'float',
  rope_freq_scale: 'float',
  yarn_ext_factor: 'float',
  yarn_attn_factor: 'float',
  yarn_beta_fast: 'float',
  yarn_beta_slow: 'float',
  yarn_orig_ctx: 'uint32_t',
  defrag_thold: 'float',
  cb_eval: 'void *',
  cb_eval_user_data: 'void *',
  type_k: 'int32_t',
  type_v: 'int32_t',
  abort_callback: 'void *',
  abort_callback_data: 'void *',
  embeddings: 'bool',
  offload_kqv: 'bool',
  no_perf: 'bool',
  op_offload: 'bool',
  swa_full: 'bool',
  kv_unified: 'bool',
  samplers: 'void *',
  n_samplers: 'size_t',
  ctx_other: 'void *',
})
const quantizeParameters = koffi.struct('llama_model_quantize_params', {
  nthread: 'int32_t',
  ftype: 'int32_t',
  output_tensor_type: 'int32_t',
  token_embedding_type: 'int32_t',
  allow_requantize: 'bool',
  quantize_output_tensor: 'bool',
  only_copy: 'bool',
  pure: 'bool',
  keep_split: 'bool',
  dry_run: 'bool',
  imatrix: 'void *',
  kv_overrides: 'void *',
  tt_overrides: 'void *',
  prune_layers: 'void *',
  max_buf_size: 'size_t',
})
const batch = koffi.struct('llama_batch', {
  n_tokens: 'int32_t',
  token: 'void *',
  embd: 'void *',
  pos: 'void *',
  n_seq_id: 'void *',
  seq_id: 'void *',
  logits: 'void *',
})

/** The folder of node-llama-cpp's libraries for this platform; `modules` is the node_modules that holds it. */
const libraryFolder = (modules: string): string => {
  const systems: Record<string, string> = { linux: 'linux', darwin: 'mac', win32: 'win' }
  const target = `${systems[process.platform] ?? process.platform}-${process.arch}`
  const scope = join(modules, '@node-llama-cpp')
  const found = readdirSync(scope).find((name) => name === target || name === `${target}-metal`)
  if (!found) throw new Error(`node-llama-cpp has no libraries for ${target} in ${scope}`)
  return join(scope, found, 'bins', found)
}

/** The functions that timing and quantizing need. Throws when the defaults are not those of the release above. */
export const openLlamaLibrary = (modules: string) => {
  const folder = libraryFolder(modules)
  const load = (name: string) => {
    const file = readdirSync(folder).find((entry) => new RegExp(`^(lib)?${name}[.].*(so|dylib|dll)$`).test(entry))
    if (!file) throw new Error(`no library ${name} in ${folder}`)
    return koffi.load(join(folder, file), { global: true })
  }
  const ggml = load('ggml')
  const llama = load('llama')
  const library = {
    loadBackends: ggml.func('void ggml_backend_load_all_from_path(const char *)') as (folder: string) => void,
    initialize: llama.func('void llama_backend_init()') as () => void,
    modelDefaults: llama.func('llama_model_default_params', modelParameters, []) as () => Record<string, unknown>,
    contextDefaults: llama.func('llama_context_default_params', contextParameters, []) as () => Record<string, unknown>,
    quantizeDefaults: llama.func('llama_model_quantize_default_params', quantizeParameters, []) as () => Record<
      string,
      unknown
    >,
    openModel: llama.func('llama_model_load_from_file', 'void *', ['const char *', modelParameters]) as (
      file: string,
      parameters: object,
    ) => unknown,
    openContext: llama.func('llama_init_from_model', 'void *', ['void *', contextParameters]) as (
      model: unknown,
      parameters: object,
    ) => unknown,
    memory: llama.func('void *llama_get_memory(void *)') as (context: unknown) => unknown,
    clearMemory: llama.func('void llama_memory_clear(void *, bool)') as (memory: unknown, data: boolean) => void,
    vocabulary: llama.func('void *llama_model_get_vocab(void *)') as (model: unknown) => unknown,
    vocabularySize: llama.func('int32_t llama_vocab_n_tokens(void *)') as (vocabulary: unknown) => number,
    decode: llama.func('llama_decode', 'int32_t', ['void *', batch]) as (context: unknown, batch: object) => number,
    logits: llama.func('void *llama_get_logits_ith(void *, int32_t)') as (context: unknown, index: number) => unknown,
    quantize: llama.func('llama_model_quantize', 'uint32_t', [
      'const char *',
      'const char *',
      koffi.pointer(quantizeParameters),
    ]) as (input: string, output: string, parameters: object) => number,
  }
  const { n_ctx, n_batch, n_ubatch, n_seq_max, rope_scaling_type, type_k, type_v, n_samplers } =
    library.contextDefaults()
  const seen = [n_ctx, n_batch, n_ubatch, n_seq_max, rope_scaling_type, type_k, type_v, Number(n_samplers)].join()
  if (seen !== '512,2048,512,1,-1,1,1,0')
    throw new Error(`llama.cpp's parameters are laid out otherwise than in v0.5.0 (read ${seen})`)
  library.loadBackends(folder)
  library.initialize()
  return library
}
