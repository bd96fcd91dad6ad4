/**
 * Token ids in the order of their logits without sorting the vocabulary. "Before" is always: larger logit first, and
 * among equal logits the lower id first, so that every choice is reproducible.
 */

/** True when token a comes before token b. */
const before = (logits: Float32Array, a: number, b: number): boolean => {
  const x = logits[a] as number
  const y = logits[b] as number
  return x > y || (x === y && a < b)
}

/** Sorts ids in place, largest logit first, ties by id; returns the same array. */
export const sortByLogit = (logits: Float32Array, ids: Uint32Array): Uint32Array =>
  ids.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b)

/**
 * The first id from `from` on whose logit is above `bound` or NaN; the length when there is none. Eight logits at a time:
 * sampling spends its time here, passing by tokens that do not matter.
 */
export const firstAbove = (logits: Float32Array, from: number, bound: number): number => {
  const { length } = logits
  const last = length - 8
  let id = from
  while (
    id <= last &&
    (logits[id] as number) <= bound &&
    (logits[id + 1] as number) <= bound &&
    (logits[id + 2] as number) <= bound &&
    (logits[id + 3] as number) <= bound &&
    (logits[id + 4] as number) <= bound &&
    (logits[id + 5] as number) <= bound &&
    (logits[id + 6] as number) <= bound &&
    (logits[id + 7] as number) <= bound
  ) {
    id += 8
  }
  while (id < length && (logits[id] as number) <= bound) id++
  return id
}

/** All ids whose logit is above `bound`, in ascending order of id. */
export const idsAbove = (logits: Float32Array, bound: number): Uint32Array => {
  let ids = new Uint32Array(Math.min(1024, logits.length))
  let count = 0
  for (let id = firstAbove(logits, 0, bound); id < logits.length; id = firstAbove(logits, id + 1, bound)) {
    if (count === ids.length) {
      const more = new Uint32Array(Math.min(4 * count, logits.length))
      more.set(ids)
      ids = more
    }
    ids[count++] = id
  }
  return ids.subarray(0, count)
}

/**
 * The `count` first ids (fewer when fewer logits are above -Infinity), sorted. A heap of `count` ids with its last one
 * on top: a token that does not make it costs one comparison, so 150,000 logits and count 50 take one pass.
 * @param refuse called for a logit that is NaN or +Infinity; it throws
 */
export const topIds = (
  logits: Float32Array,
  count: number,
  refuse: (id: number, value: number) => never,
): Uint32Array => {
  const heap = new Uint32Array(Math.min(count, logits.length))
  let size = 0
  // Of the last on the heap; a later token with an equal logit comes after it.
  let least = -Infinity
  for (let id = firstAbove(logits, 0, least); id < logits.length; id = firstAbove(logits, id + 1, least)) {
    const logit = logits[id] as number
    if (Number.isNaN(logit) || logit === Infinity) refuse(id, logit)
    if (size < heap.length) siftUp(logits, heap, size++, id)
    else siftDown(logits, heap, size, id)
    if (size === heap.length) least = logits[heap[0] as number] as number
  }
  return sortByLogit(logits, heap.slice(0, size))
}

const siftUp = (logits: Float32Array, heap: Uint32Array, start: number, id: number): void => {
  let at = start
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(logits, heap[parent] as number, id)) break
    heap[at] = heap[parent] as number
    at = parent
  }
  heap[at] = id
}

const siftDown = (logits: Float32Array, heap: Uint32Array, size: number, id: number): void => {
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= size) break
    if (child + 1 < size && before(logits, heap[child] as number, heap[child + 1] as number)) child++
    if (!before(logits, id, heap[child] as number)) break
    heap[at] = heap[child] as number
    at = child
  }
  heap[at] = id
}
