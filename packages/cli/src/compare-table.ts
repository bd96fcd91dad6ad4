import { formatBytes, formatSeconds, formatShare, significant } from './format.ts'
import type { CompareRow } from './libraries.ts'
import type { Column } from './table.ts'

/** The columns of `awq compare`: 78 characters together, so that a terminal of 80 holds them. */
export const compareColumns: readonly Column[] = [
  { title: 'method', width: 8 },
  { title: 'bits', align: 'right' },
  { title: 'stored', align: 'right' },
  { title: 'bits/w', align: 'right' },
  { title: 'perplexity', align: 'right' },
  { title: 'KL', width: 7, align: 'right' },
  { title: 'top-1', width: 6, align: 'right' },
  { title: 'time', width: 7, align: 'right' },
  { title: 'size', width: 7, align: 'right' },
]

/** One row as cells; what the float row has not (KL, top-1, time) is a dash. */
export const compareCells = (row: CompareRow): string[] => [
  row.method,
  String(row.bits),
  String(row.storedBits),
  row.bitsPerWeight.toFixed(2),
  significant(row.perplexity, 4),
  row.kl === undefined ? '-' : significant(row.kl, 3),
  row.top1 === undefined ? '-' : formatShare(row.top1),
  row.seconds > 0 ? formatSeconds(row.seconds) : '-',
  formatBytes(row.bytes),
]
