/** One column of a table: its heading, its least width and the side its cells stand at. */
export interface Column {
  readonly title: string
  readonly width?: number
  readonly align?: 'left' | 'right'
}

/** Widths that hold every heading and cell. */
export const columnWidths = (columns: readonly Column[], rows: readonly (readonly string[])[]): number[] =>
  columns.map((column, index) =>
    Math.max(column.width ?? 0, column.title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  )

/** One line of cells, two blanks between columns, no blanks at its end. */
export const tableLine = (cells: readonly string[], columns: readonly Column[], widths: readonly number[]): string =>
  columns
    .map((column, index) => {
      const cell = cells[index] ?? ''
      const width = widths[index] ?? 0
      return column.align === 'right' ? cell.padStart(width) : cell.padEnd(width)
    })
    .join('  ')
    .trimEnd()

/** Headings and rows as aligned lines. */
export const formatTable = (columns: readonly Column[], rows: readonly (readonly string[])[]): string[] => {
  const widths = columnWidths(columns, rows)
  return [columns.map((column) => column.title), ...rows].map((row) => tableLine(row, columns, widths))
}
