/** transformers.js in a page; the server gives its files. */
import { figuresOf } from './figures.ts'

const builds = { cpu: 'ort-wasm-simd-threaded', webgpu: 'ort-wasm-simd-threaded.asyncify' }

/** Loads a model and generates; what it is asked for and gives is that of figures.ts. */
export const measurePeer = async ({ url, device, prompt, tokens }) => {
  const library = await import(/* @vite-ignore */ `${location.origin}/transformers/transformers.min.js`)
  const { env } = library
  Object.assign(env, { allowLocalModels: true, allowRemoteModels: false, useBrowserCache: false })
  const at = new URL(url, location.href).pathname
  env.localModelPath = at.slice(0, at.replace(/\/$/, '').lastIndexOf('/') + 1)
  const name = at.slice(env.localModelPath.length).replace(/\/$/, '')
  const build = `/onnxruntime/${builds[device]}`
  env.backends.onnx.wasm.wasmPaths = { mjs: `${build}.mjs`, wasm: `${build}.wasm` }
  env.backends.onnx.wasm.numThreads = navigator.hardwareConcurrency
  const started = performance.now()
  const tokenizer = await library.AutoTokenizer.from_pretrained(name)
  const options = { dtype: 'q4', device: device === 'cpu' ? 'wasm' : 'webgpu' }
  const model = await library.AutoModelForCausalLM.from_pretrained(name, options)
  const loadSeconds = (performance.now() - started) / 1000
  const generate = async (count) => {
    const [times, ids, start] = [[], [], performance.now()]
    let first = true
    class Streamer extends library.BaseStreamer {
      put(rows) {
        // The prompt comes first.
        if (first) first = false
        else {
          times.push(performance.now())
          ids.push(Number(rows[0][0]))
        }
      }
      end() {}
    }
    const options = { max_new_tokens: count, min_new_tokens: count, do_sample: false, repetition_penalty: 1 }
    await model.generate({ ...tokenizer(prompt), ...options, streamer: new Streamer() })
    return { times, ids, start }
  }
  await generate(4)
  return { ...figuresOf(await generate(tokens)), loadSeconds }
}
