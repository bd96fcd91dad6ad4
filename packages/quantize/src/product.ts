import { Graph } from '@awq/onnx'
import { type Engine, type Session, tensor } from '@awq/ort'

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

const sessions = new WeakMap<Engine, Map<string, Promise<Session>>>()

/**
 * {@link MatrixProduct} as one Gemm on an engine. Its sessions have symbolic dimensions and are kept as long as the
 * engine, so a whole model needs at most four of them.
 */
export function engineProduct(engine: Engine): MatrixProduct {
  return async (request, signal) => {
    const { left, right, addend, rows, inner, columns, transposeLeft = false, subtract = false } = request
    const session = await gemmSession(engine, transposeLeft, subtract, addend !== undefined)
    const feeds = {
      left: tensor('float32', transposeLeft ? [inner, rows] : [rows, inner], left),
      right: tensor('float32', [inner, columns], right),
      ...(addend === undefined ? {} : { addend: tensor('float32', [rows, columns], addend) }),
    }
    const { product } = await session.run(feeds, { signal })
    return product?.data as Float32Array
  }
}

function gemmSession(engine: Engine, transposeLeft: boolean, subtract: boolean, addend: boolean): Promise<Session> {
  let ofEngine = sessions.get(engine)
  if (ofEngine === undefined) {
    ofEngine = new Map()
    sessions.set(engine, ofEngine)
  }
  const key = `${transposeLeft} ${subtract} ${addend}`
  let session = ofEngine.get(key)
  if (session === undefined) {
    session = engine.createSession(gemmGraph(transposeLeft, subtract, addend))
    ofEngine.set(key, session)
    const kept = ofEngine
    session.catch(() => kept.delete(key))
  }
  return session
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
