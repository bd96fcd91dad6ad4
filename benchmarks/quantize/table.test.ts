import { describe, expect, it } from 'vitest'
import { type Row, recovered, settingTable } from './table.ts'

const run = (seconds: number, mebibytes: number, otherCores: number | null = 0) => ({
  seconds,
  peakRssBytes: mebibytes * 2 ** 20,
  processSeconds: seconds + 3,
  otherCores,
})

const rows: Row[] = [
  { key: 'ours-rtn', name: 'awq, rtn', runs: [run(2, 300)], quality: { perplexity: 48, kl: 0.4, top1: 0.7 } },
  {
    key: 'ours-awq',
    name: 'awq, awq',
    runs: [run(9, 400), run(10, 500), run(60, 450, 1)],
    quality: { perplexity: 38, kl: 0.15, top1: 0.82 },
  },
  { key: 'autoawq', name: 'AutoAWQ', runs: [run(500, 2250)], quality: { perplexity: 40, kl: 0.2, top1: 0.8 } },
  { key: 'llmc-awq', name: 'llm-compressor, AWQ', runs: [], refusal: 'group size 128 does not divide 576' },
]

describe('settingTable', () => {
  const cells = settingTable(rows, rows[1]!, 30, 28)
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  it('gives medians and how many times those of the reference', () => {
    expect(cells[4]!.slice(0, 6)).toEqual(['AutoAWQ', '500.0', '16.67', '50.0', '2250', '5.0'])
  })
  it('marks runs beside other work', () => {
    expect(cells[3]!.slice(0, 3)).toEqual(['awq, awq*', '10.0', '0.33'])
  })
  it('measures quality by the loss of rounding to nearest', () => {
    expect(recovered(28, 48, 38)).toBe(0.5)
    expect(cells[3]!.slice(6)).toEqual(['38.00', '0.150', '82.0%', '50%'])
    expect(cells[2]!.at(-1)).toBe('0%')
  })
  it('says what a program answered that refused', () => {
    expect(cells[5]!.slice(0, 4)).toEqual(['llm-compressor, AWQ', 'group size 128 does not divide 576', '-', '-'])
  })
  it('leaves quality out where none was measured', () => {
    expect(settingTable(rows, rows[1]!, 30)).not.toContain('perplexity')
  })
})
