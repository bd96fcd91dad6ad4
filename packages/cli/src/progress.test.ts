import { describe, expect, it } from 'vitest'
import { captureOutput } from './fixtures/fakes.ts'
import { createProgressView, layerText, type ProgressEvent, throttle } from './progress.ts'

const layer = (index: number, loss = 0.5): Extract<ProgressEvent, { type: 'layer' }> => ({
  type: 'layer',
  layer: index,
  layers: 3,
  groups: [
    { layer: index, producer: 'input_layernorm', consumers: ['self_attn.q_proj'], loss, identityLoss: 1 },
    { layer: index, producer: 'mlp.up_proj', consumers: ['mlp.down_proj'] },
  ],
  seconds: 2,
  etaSeconds: 4,
})
const progress = (completed: number): ProgressEvent => ({ type: 'progress', stage: 'blocks', completed, total: 10 })

describe('layerText', () => {
  it('shows the loss against plain rounding and the time left', () => {
    expect(layerText(layer(0))).toBe('layer 1/3  scale search 1.00 -> 0.500 (-50%)  2.0 s  ETA 4.0 s')
  })
  it('needs no groups, and has no time left at the end', () => {
    expect(layerText({ ...layer(2), groups: [] })).toBe('layer 3/3  2.0 s')
  })
})

describe('throttle', () => {
  it('passes the first, the last and one per interval', () => {
    let time = 0
    const passes = throttle(() => time, 1000)
    const passed = [0, 1, 2, 3, 9, 10].filter((completed) => {
      time += 400
      return passes(progress(completed))
    })
    expect(passed).toEqual([0, 3, 10])
  })
})

describe('the progress view', () => {
  it('prints plain lines now and then where there is no terminal', () => {
    let time = 0
    const stream = captureOutput()
    const view = createProgressView(stream, () => time)
    view.show({ type: 'stage', stage: 'blocks' })
    for (let completed = 0; completed <= 10; completed++) {
      view.show(progress(completed))
      time += 1000
    }
    view.show({ type: 'warning', message: 'careful' })
    view.show(layer(0))
    view.show(layer(1))
    view.show(layer(2))
    expect(stream.text().split('\n')).toEqual([
      'quantizing…',
      'quantizing 5/10',
      'quantizing 10/10',
      'awq: warning: careful',
      layerText(layer(0)),
      layerText(layer(2)),
      '',
    ])
  })
  it('says what the steps are, or which share is done where they mean nothing', () => {
    const shown = (event: ProgressEvent) => {
      const stream = captureOutput({ isTTY: true })
      createProgressView(stream, () => 0).show(event)
      return stream.text()
    }
    expect(shown({ ...progress(5), message: 'layer 2 of 9' } as ProgressEvent)).toContain(
      ' quantizing layer 2 of 9, part 5/10\u001b',
    )
    expect(shown({ type: 'progress', stage: 'evaluate', completed: 12, total: 62 })).toContain(' evaluating 19%\u001b')
    expect(shown({ type: 'progress', stage: 'download', completed: 1e6, total: 2e6, message: 'a.json' })).toContain(
      ' downloading 1.00 MB/2.00 MB  a.json\u001b',
    )
  })
  it('redraws one line that fits on a terminal, and wipes it', () => {
    let time = 0
    const stream = captureOutput({ isTTY: true, columns: 40 })
    const view = createProgressView(stream, () => time)
    view.show(progress(5))
    time += 1000
    view.show(layer(1))
    view.clear()
    view.clear()
    const text = stream.text()
    expect(text).toContain('[##########..........] quantizing 5/10')
    expect(text.endsWith('\r\u001b[K')).toBe(true)
    for (const line of text.split('\r')) expect(line.replace('\u001b[K', '').length).toBeLessThan(40)
    expect(text).not.toContain('\n')
  })
})
