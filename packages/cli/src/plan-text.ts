import type { PlannedModel } from '@awq/core'
import { formatBytes, formatCount, significant } from './format.ts'
import { type Column, formatTable } from './table.ts'

const columns: readonly Column[] = [
  { title: 'matrices', align: 'right' },
  { title: 'of', width: 18 },
  { title: 'bits', align: 'right' },
  { title: 'group', align: 'right' },
  { title: 'weights', width: 13, align: 'right' },
]

/** A plan as a table, how many matrices are stored in how many bits, and what was measured of it and of others. */
export const planLines = (plan: Omit<PlannedModel, 'plan'>): string[] => {
  const rows = plan.shares.map(({ matrices, what, spec, parameters }) => [
    String(matrices),
    what,
    String(spec?.bits ?? 16),
    spec ? (spec.groupSize === -1 ? 'row' : String(spec.groupSize)) : '-',
    formatCount(parameters),
  ])
  return [
    `plan: ${significant(plan.bitsPerWeight, 4)} bits per weight, ${formatBytes(plan.bytes)}`,
    ...formatTable(columns, rows).map((line) => `  ${line}`),
    `  measured, KL: ${plan.candidates.map(({ name, measuredLoss }) => `${name} ${significant(measuredLoss, 3)}`).join('; ')}`,
  ]
}
