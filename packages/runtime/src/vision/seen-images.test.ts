import { AwqError } from '@awq/tensor'
import { expect, test } from 'vitest'
import { createSeenImages } from './seen-images.ts'

const vocabSize = 100
const width = 2
/** Bytes of an image of two rows. */
const size = 2 * width * 4
const features = () => new Float32Array(2 * width)

/** Room for two images. */
const seenImages = () => createSeenImages(vocabSize, width, 2 * size)

test('those used longest ago are forgotten, and never have their ids again', () => {
  const seen = seenImages()
  const ids = ['a', 'b', 'c'].map((key) => seen.add(key, features(), undefined).firstId)
  expect(ids).toEqual([100, 102, 104])
  expect([seen.bytes, seen.has(101), seen.has(103), seen.has(105), seen.has(106)]).toEqual([
    2 * size,
    false,
    true,
    true,
    false,
  ])
  seen.byKey('b')
  expect(seen.add('a', features(), undefined).firstId).toBe(106)
  expect(seen.has(102)).toBe(true)
  expect(() => seen.find(104)).toThrow(/no image is known/)
})

test('those that a prompt holds stay, however many others come, until all let go', () => {
  const seen = seenImages()
  const first = seen.add('a', features(), undefined)
  const hold = seen.hold()
  hold.keep(first)
  const other = seen.hold([5, first.firstId, first.firstId + 1, 6])
  for (let i = 0; i < 5; i++) seen.add(`${i}`, features(), undefined)
  expect(seen.find(first.firstId)).toBe(first)
  hold.release()
  hold.release()
  for (let i = 5; i < 10; i++) seen.add(`${i}`, features(), undefined)
  expect(seen.find(first.firstId + 1)).toBe(first)
  other.release()
  seen.add('last', features(), undefined)
  expect(seen.has(first.firstId)).toBe(false)
  expect(seen.bytes).toBe(2 * size)
})

test('a prompt may hold more than is kept, unless others hold some: then it is asked to wait', () => {
  const seen = seenImages()
  const large = seen.hold()
  for (let i = 0; i < 4; i++) large.keep(seen.add(`${i}`, features(), undefined))
  expect(seen.bytes).toBe(4 * size)
  const late = seen.hold()
  const image = seen.add('late', features(), undefined)
  const refused = (): unknown => {
    try {
      return late.keep(image)
    } catch (error) {
      return error
    }
  }
  const error = refused()
  expect(AwqError.is(error) && error.code).toBe('BUSY')
  // What is held already takes no more.
  late.keep(seen.byKey('0')!)
  late.release()
  large.release()
  expect(seen.bytes).toBe(2 * size)
  expect(refused()).toBeUndefined()
})

test('a hold of ids that are not known holds nothing', () => {
  const seen = seenImages()
  const { firstId } = seen.add('a', features(), undefined)
  expect(() => seen.hold([firstId, 999])).toThrow(/999/)
  seen.add('b', features(), undefined)
  seen.add('c', features(), undefined)
  expect(seen.has(firstId)).toBe(false)
})
