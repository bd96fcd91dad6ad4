import { expect, test } from 'vitest'
import { modelFiles } from './model-files.ts'

const none = async (): Promise<string> => expect.unreachable('no index is read')

test('configuration, tokenizer and weights are taken, in whatever layout the model is; the rest is left', async () => {
  const small = ['config.json', 'quantize_config.json', 'quant_config.json', 'provenance.json', 'tokenizer.json']
  const other = ['README.md', 'pytorch_model.bin', 'onnx/model.onnx', 'training_args.json']
  expect(await modelFiles([...other, ...small, 'model.safetensors'], none)).toEqual([...small, 'model.safetensors'])
})

test('a model without safetensors is refused', async () => {
  await expect(modelFiles(['config.json', 'model.onnx'], none)).rejects.toThrow(/no safetensors weights, only other/)
})
