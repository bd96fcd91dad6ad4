import { expect, test } from 'vitest'

const entries = {
  tensor: () => import('@awq/tensor'),
  'tensor/browser': () => import('@awq/tensor/browser'),
  onnx: () => import('@awq/onnx'),
  ort: () => import('@awq/ort'),
  text: () => import('@awq/text'),
  image: () => import('@awq/image'),
  models: () => import('@awq/models'),
  calibration: () => import('@awq/calibration'),
  quantize: () => import('@awq/quantize'),
  search: () => import('@awq/search'),
  runtime: () => import('@awq/runtime'),
  'runtime/browser': () => import('@awq/runtime/browser'),
  evaluate: () => import('@awq/evaluate'),
  core: () => import('@awq/core'),
  report: () => import('@awq/report'),
}

test.each(Object.entries(entries))('@awq/%s loads in a browser', async (_, load) => {
  expect(Object.keys(await load()).length).toBeGreaterThan(0)
})
