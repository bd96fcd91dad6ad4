import type { AttentionStep } from '@awq/models'
import type { Tensor } from '@awq/ort'
import { fromFloat32, toFloat32 } from '@awq/tensor'

/** Values `[tokens, width]`, heads side by side. */
export interface HeadRows {
  readonly data: Float32Array
  readonly width: number
}

/** One head of one token, turned by the rotary tables `[positions, width / 2]` of a step. */
const turned = (
  { rope }: AttentionStep,
  head: Float64Array,
  position: number,
  tables: Readonly<Record<string, Tensor>>,
): Float64Array => {
  if (!rope) return head
  const half = rope.width / 2
  const result = head.slice()
  for (let i = 0; i < half; i++) {
    const cos = Number(tables['rope.cos']!.data[position * half + i])
    const sin = Number(tables['rope.sin']!.data[position * half + i])
    const [a, b] = rope.interleaved ? [2 * i, 2 * i + 1] : [i, i + half]
    result[a] = head[a]! * cos - head[b]! * sin
    result[b] = head[b]! * cos + head[a]! * sin
  }
  return result
}

const bfloat16 = (x: number): number => toFloat32(fromFloat32(Float32Array.of(x), 'BF16'), 'BF16')[0]!

/** The linear bias of a key, as `AlibiSpec` states it; 0 without. */
const biasOf = ({ alibi, scale }: AttentionStep, head: number, position: number): number => {
  if (!alibi) return 0
  const rounded = alibi.bfloat16 ? bfloat16 : (x: number) => x
  return rounded(rounded(alibi.slopes[head]!) * position) * (alibi.scaled ? scale : 1)
}

/**
 * Causal attention as `AttentionStep` states it, in double precision, token by token: `[tokens, heads * valueDim]`.
 * @param sinks `[heads]`, a logit of each head that takes weight and mixes in nothing
 * @param tables rotary tables, not multiplied by anything
 */
export const attendPlainly = (
  step: AttentionStep,
  [query, key, value]: readonly [HeadRows, HeadRows, HeadRows],
  sinks: Float32Array | undefined,
  tables: Readonly<Record<string, Tensor>>,
): Float64Array => {
  const { heads, kvHeads, headDim, valueDim = headDim, scale, softCap, window } = step
  const tokens = query.data.length / query.width
  const headOf = ({ data, width }: HeadRows, token: number, head: number, dim: number): Float64Array => {
    const start = token * width + head * dim
    return Float64Array.from(data.subarray(start, start + dim))
  }
  const result = new Float64Array(tokens * heads * valueDim)
  for (let head = 0; head < heads; head++) {
    const group = Math.floor(head / (heads / kvHeads))
    const keys = Array.from({ length: tokens }, (_, token) =>
      turned(step, headOf(key, token, group, headDim), token, tables),
    )
    for (let token = 0; token < tokens; token++) {
      const q = turned(step, headOf(query, token, head, headDim), token, tables)
      const first = window === null ? 0 : Math.max(0, token - window + 1)
      const scores = keys.slice(first, token + 1).map((k, i) => {
        const score = scale * k.reduce((sum, x, i) => sum + x * q[i]!, 0)
        const capped = softCap === null ? score : softCap * Math.tanh(score / softCap)
        return capped + biasOf(step, head, first + i)
      })
      const sink = sinks?.[head]
      const largest = Math.max(...scores, sink ?? Number.NEGATIVE_INFINITY)
      const weights = scores.map((score) => Math.exp(score - largest))
      const sum = weights.reduce((all, weight) => all + weight, sink === undefined ? 0 : Math.exp(sink - largest))
      for (const [i, weight] of weights.entries()) {
        const start = (token * heads + head) * valueDim
        for (const [at, x] of headOf(value, first + i, group, valueDim).entries())
          result[start + at]! += (weight / sum) * x
      }
    }
  }
  return result
}
