/** The transpose of a row-major matrix: [rows, columns] to [columns, rows]. */
export function transposed<T extends Float32Array | Uint16Array>(values: T, rows: number, columns: number): T {
  const result = new (values.constructor as new (length: number) => T)(values.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!
  return result
}
