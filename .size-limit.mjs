/**
 * What a page downloads for each entry that is for browsers, minified and compressed with brotli, and the most it may be. Without
 * onnxruntime-web, whose files an engine fetches when it is made (docs/browsers.md has their sizes), the bundled calibration text,
 * and parquet's decompressors, which are fetched when they are needed.
 */
const budgets = {
  'packages/tensor/src/index.ts': '11 kB',
  'packages/tensor/src/browser.ts': '11 kB',
  'packages/onnx/src/index.ts': '35 kB',
  'packages/ort/src/index.ts': '45 kB',
  'packages/ort/src/worker.ts': '12 kB',
  'packages/text/src/index.ts': '50 kB',
  'packages/image/src/index.ts': '20 kB',
  'packages/models/src/index.ts': '80 kB',
  'packages/quantize/src/index.ts': '75 kB',
  'packages/runtime/src/index.ts': '190 kB',
  'packages/runtime/src/browser.ts': '180 kB',
  'packages/evaluate/src/index.ts': '180 kB',
  'packages/formats/src/index.ts': '140 kB',
  'packages/core/src/index.ts': '245 kB',
  'packages/core/src/browser.ts': '35 kB',
  'packages/core/src/worker.ts': '245 kB',
  'packages/report/src/index.ts': '10 kB',
}

export default Object.entries(budgets).map(([path, limit]) => ({
  name: `@awq/${path
    .replace('packages/', '')
    .replace('/src', '')
    .replace(/(\/index)?\.ts$/, '')}`,
  path,
  limit,
  ignore: ['onnxruntime-web', 'onnxruntime-web/*', 'hyparquet-compressors', '*/bundled-text-data.ts'],
  modifyEsbuildConfig: (config) => ({
    ...config,
    format: 'esm',
    platform: 'browser',
    splitting: true,
    conditions: ['@awq/source'],
  }),
}))
