/** Compares the quantizers of custom-quantizer.ts with the built-in ones on the bundled model. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { compare } from '@awq/core'
import { ownAwq, stochastic } from './custom-quantizer.ts'

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))

await compare({
  model: path('../models/stories260k'),
  methods: ['rtn', stochastic, ownAwq, 'awq'],
  bits: [3],
  groupSize: 32,
  calibration: path('../demo/stories-calibration.txt'),
  samples: 32,
  length: 256,
  text: await readFile(path('../demo/stories-evaluation.txt'), 'utf8'),
  maxWindows: 20,
  onRow: ({ method, bits, perplexity, kl }) =>
    console.log(`${method.padEnd(12)} ${bits} bits  perplexity ${perplexity.toFixed(3)}  KL ${(kl ?? 0).toFixed(4)}`),
})
