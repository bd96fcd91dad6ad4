import { expect, test } from 'vitest'
import { configText } from './config-text.ts'

test('floating-point fields keep their point, others and texts stay as they are', () => {
  const config = {
    final_logit_softcapping: 30,
    text_config: { logit_scale: -1, router_jitter_noise: 0 },
    rms_norm_eps: 1e-6,
    hidden_size: 64,
    note: '"logit_scale": 4',
    softmax_scale: null,
  }
  const text = configText(config)
  expect(text.split('\n')).toEqual([
    '{',
    '  "final_logit_softcapping": 30.0,',
    '  "text_config": {',
    '    "logit_scale": -1.0,',
    '    "router_jitter_noise": 0.0',
    '  },',
    '  "rms_norm_eps": 0.000001,',
    '  "hidden_size": 64,',
    '  "note": "\\"logit_scale\\": 4",',
    '  "softmax_scale": null',
    '}',
    '',
  ])
  expect(JSON.parse(text)).toEqual(config)
})
