import { describe, expect, test } from 'vitest'
import { parsePage } from './fixtures/parse-page.ts'
import { exampleRecord, hostileRecord } from './fixtures/record.ts'
import { renderReport } from './render-report.ts'

const headings = (page: string): string[] => [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title!)

/** What a tile says, without its tags. */
const tile = (page: string, label: string): string | undefined =>
  new RegExp(`<dt>${label}</dt><dd><strong>(.*?)</strong><span>(.*?)</span>`).exec(page)?.slice(1, 3).join(' | ')

describe('renderReport', () => {
  test('shows every figure of a whole record', () => {
    const page = renderReport(exampleRecord())
    expect(headings(page)).toEqual([
      'Output error of each linear',
      'Chosen alpha',
      'Clip ratios',
      'Salient channels',
      'Size by tensor',
      'Time by stage',
      'Layer by layer',
      'How it was made',
    ])
    // (1 + 2 + 3) / 3 of 4, in power of 200.
    expect(tile(page, 'Error removed')).toBe('50% | of plain rounding’s output error, mean of linears: 2.00% → 1.00%')
    expect(tile(page, 'Bits a weight')).toBe('4.63 | in the linears, with scales; 4.63 in the whole model')
    expect(tile(page, 'Size')).toBe('30.0 kB | on disk, from 98.3 kB of weights (31%)')
    expect(tile(page, 'Time')).toBe('40 s | native, cpu, 2 threads')
    expect(page).toContain('layer 1, up_proj: 2.00% → 1.00%')
    expect(page).toContain('up_proj: 30% of groups clipped')
    expect(page).toContain('channel 7: 40× the median, scaled 3.50×')
    expect(page).toContain('30 s, 75%')
    expect(page).toContain('mlp.up_proj × 3')
  })

  test('is strict HTML without scripts and without anything from elsewhere', () => {
    const elements = parsePage(renderReport(exampleRecord()))
    const tags = new Set(elements.map(({ tag }) => tag))
    for (const tag of ['script', 'link', 'img', 'iframe', 'object', 'use', 'a', 'base']) expect(tags).not.toContain(tag)
    for (const { attributes } of elements)
      for (const name of attributes.keys()) expect(name).not.toMatch(/^on|^href$|^src$|xlink/i)
    expect(elements.filter(({ tag }) => tag === 'svg').every(({ attributes }) => attributes.get('aria-label'))).toBe(
      true,
    )
    expect(elements.find(({ attributes }) => attributes.has('http-equiv'))!.attributes.get('content')).toMatch(
      /^default-src 'none'/,
    )
  })

  test('keeps every coordinate inside the drawing', () => {
    const page = renderReport(exampleRecord())
    for (const [, d] of page.matchAll(/ d="([^"]*)"/g)) {
      expect(d).toMatch(/^(M[\d.]+ [\d.]+(h0|V[\d.]+|H[\d.]+))+$/)
      for (const [, x, y] of d!.matchAll(/M([\d.]+) ([\d.]+)/g)) {
        expect(Number(x)).toBeLessThanOrEqual(360)
        expect(Number(y)).toBeLessThanOrEqual(168)
      }
    }
  })

  test('escapes whatever a record says', () => {
    const hostilePage = parsePage(renderReport(hostileRecord()))
    const tags = (elements: ReturnType<typeof parsePage>) => [...new Set(elements.map(({ tag }) => tag))].sort()
    expect(tags(hostilePage)).toEqual(tags(parsePage(renderReport(exampleRecord()))))
    expect(renderReport(hostileRecord())).not.toMatch(/\0|[\ud800-\udfff]/u)
  })

  test('takes no markup from an object of a parsed record', () => {
    const forged = JSON.parse(
      JSON.stringify(exampleRecord()).replaceAll('"tiny"', '{"markup":"<script>","raw":"<b>","toString":1}'),
    )
    expect(() => renderReport(forged)).toThrow()
    const numbers = JSON.parse(
      JSON.stringify(exampleRecord()).replaceAll(/:(3|4|40|200|64|0\.5)(?=[,}\]])/g, ':"<b onclick=1>"'),
    )
    expect(parsePage(renderReport(numbers)).some(({ tag }) => tag === 'b')).toBe(true) // of the layers' headings
    expect(renderReport(numbers)).not.toContain('<b onclick')
  })

  test.each(['alpha', 'STYLE', '$&', '`'])('leaves a model named %s alone', (name) => {
    const { model } = exampleRecord()
    expect(renderReport(exampleRecord({ model: { ...model, name } }))).toContain(
      `<h1>${name.replace('&', '&amp;')}</h1>`,
    )
  })
})

describe('a record that lacks something', () => {
  test('of a method without statistics shows weight errors and says why there is no more', () => {
    const linears = exampleRecord().linears.map(({ power, lossBefore, lossAfter, ...linear }) => linear)
    const page = renderReport(exampleRecord({ linears, inputs: [], scaleGroups: [], calibration: null }))
    parsePage(page)
    expect(headings(page)).toEqual([
      'Clip ratios',
      'Size by tensor',
      'Time by stage',
      'Layer by layer',
      'How it was made',
    ])
    expect(tile(page, 'Weight error')).toMatch(/^0\.600% \|/)
    expect(page).toContain('looked at no calibration text')
  })

  test('of a strategy without exponents shows what the scales left of the loss', () => {
    const scaleGroups = exampleRecord().scaleGroups.map(({ alpha, ...group }) => group)
    expect(headings(renderReport(exampleRecord({ scaleGroups })))).toContain('What the scales left of the loss')
    const silent = scaleGroups.map(({ loss, identityLoss, ...group }) => group)
    const page = renderReport(exampleRecord({ scaleGroups: silent }))
    parsePage(page)
    expect(headings(page)).not.toContain('What the scales left of the loss')
  })

  test('names layers that were not measured', () => {
    const page = renderReport(exampleRecord({ missingLayers: [0, 1], resumedLayers: 2 }))
    expect(page).toContain('Nothing was measured in layers 0, 1')
    expect(tile(page, 'Time')).toContain('2 layers taken over')
  })

  test('says when a method makes things worse', () => {
    const linears = exampleRecord().linears.map((linear) => ({ ...linear, lossAfter: 8 }))
    expect(tile(renderReport(exampleRecord({ linears })), 'Error added')).toMatch(/^100% \|/)
  })

  test('may be all but empty', () => {
    const nothing = { linears: [], inputs: [], scaleGroups: [], tensors: [], stages: [] }
    const page = renderReport(
      exampleRecord({
        ...nothing,
        model: { name: '', type: '', layers: 0, parameters: 0 },
        inputBytes: 0,
        peakRssBytes: 0,
      }),
    )
    parsePage(page)
    expect(headings(page)).toEqual(['How it was made'])
    expect(page).not.toMatch(/NaN|Infinity|undefined/)
  })

  test('may have dead inputs, zeros and errors of nothing', () => {
    const linears = exampleRecord().linears.map((linear) => ({
      ...linear,
      ...{ power: 0, lossBefore: 0, lossAfter: 0, clip: new Array(21).fill(0) },
    }))
    const inputs = exampleRecord().inputs.map((input) => ({ ...input, median: 0 }))
    const scaleGroups = exampleRecord().scaleGroups.map((group) => ({ ...group, loss: 0, identityLoss: 0 }))
    const page = renderReport(exampleRecord({ linears, inputs, scaleGroups }))
    parsePage(page)
    expect(page).not.toMatch(/NaN|Infinity|undefined/)
  })
})

test('a page of 30 layers with 7 linears stays below 300 kB', () => {
  const [linear] = exampleRecord().linears
  const [input] = exampleRecord().inputs
  const layers = Array.from({ length: 30 }, (_, layer) => layer)
  const names = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'].map((name) => `self_attn.${name}_proj`)
  const channels = Array.from({ length: 8 }, (_, index) => ({ index, meanAbs: 1 / 3 + index, scale: 4 / 3 }))
  const page = renderReport(
    exampleRecord({
      model: { name: 'm', type: 'llama', layers: 30, parameters: 1e8 },
      linears: layers.flatMap((layer) => names.map((name) => ({ ...linear!, layer, name }))),
      inputs: layers.flatMap((layer) =>
        names.slice(3).map((name) => ({ ...input!, layer, readers: [name], channels })),
      ),
      scaleGroups: layers.flatMap((layer) =>
        names.slice(3).map((producer) => ({ ...exampleRecord().scaleGroups[1]!, layer, producer })),
      ),
    }),
  )
  expect(page.length).toBeLessThan(300_000)
})
