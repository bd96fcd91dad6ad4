import { Graph } from '@awq/onnx'
import { cachedSession, type Engine, tensor } from '@awq/ort'

/** C + sign · op(A) · B for row-major float32 matrices, where op transposes A or not. */
export interface ProductRequest {
  /** A, [rows, inner], or [inner, rows] when `transposeLeft`. */
  readonly left: Float32Array
  /** B, [inner, columns]. */
  readonly right: Float32Array
  /** C, [rows, columns]; absent means zero. */
  readonly addend?: Float32Array
  readonly rows: number
  readonly inner: number
  readonly columns: number
  readonly transposeLeft?: boolean
  /** Takes the product away from the addend instead of adding it. */
  readonly subtract?: boolean
}

/** Computes a {@link ProductRequest}: the one dense operation that GPTQ needs from an engine. Returns [rows, columns]. */
export type MatrixProduct = (request: ProductRequest, signal?: AbortSignal) => Promise<Float32Array>

/**
 * {@link MatrixProduct} as one Gemm on an engine. Its sessions have symbolic dimensions and are kept as long as the
 * engine, so a whole model needs at most four of them.
 */
export function engineProduct(engine: Engine): MatrixProduct {
  return async (request, signal) => {
    const { left, right, addend, rows, inner, columns, transposeLeft = false, subtract = false } = request
    const form = [transposeLeft, subtract, addend !== undefined] as const
    const session = await cachedSession(engine, `gptq product ${form.join(' ')}`, () => gemmGraph(...form))
    const feeds = {
      left: tensor('float32', transposeLeft ? [inner, rows] : [rows, inner], left),
      right: tensor('float32', [inner, columns], right),
      ...(addend === undefined ? {} : { addend: tensor('float32', [rows, columns], addend) }),
    }
    const { product } = await session.run(feeds, { signal })
    return product?.data as Float32Array
  }
}

function gemmGraph(transposeLeft: boolean, subtract: boolean, addend: boolean): Uint8Array {
  const graph = new Graph('matrix-product')
  const left = graph.input('left', 'float32', transposeLeft ? ['inner', 'rows'] : ['rows', 'inner'])
  const right = graph.input('right', 'float32', ['inner', 'columns'])
  const inputs = addend ? [left, right, graph.input('addend', 'float32', ['rows', 'columns'])] : [left, right]
  const attributes = { alpha: subtract ? -1 : 1, beta: 1, transA: transposeLeft ? 1 : 0 }
  graph.output('product', graph.add('Gemm', inputs, attributes))
  return graph.toBytes()
}
