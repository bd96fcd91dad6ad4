import { expect, test } from 'vitest'
import { stageClock, totalSeconds, withOther } from './stages.ts'

test('adds the time of each stage up, also of one that fails, and says what is left', async () => {
  let time = 0
  const clock = stageClock(() => time)
  const wait = (seconds: number) => async () => {
    time += seconds * 1000
    return seconds
  }
  expect(await clock.time('read', wait(1))).toBe(1)
  await clock.time('scale', wait(2))
  await clock.time('read', wait(0.5))
  const failing = clock.time('scale', async () => {
    time += 4000
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  const stages = [
    { stage: 'read', seconds: 1.5 },
    { stage: 'scale', seconds: 6 },
  ]
  expect(clock.seconds()).toEqual(stages)
  expect(totalSeconds(stages)).toBe(7.5)
  expect(withOther(stages, 10).at(-1)).toEqual({ stage: 'other', seconds: 2.5 })
  expect(withOther(stages, 7).at(-1)).toEqual({ stage: 'other', seconds: 0 })
})

test('books a stage within another once', async () => {
  let time = 0
  const clock = stageClock(() => time)
  const wait = async (seconds: number) => {
    time += seconds * 1000
  }
  await clock.time('outer', async () => {
    await wait(1)
    await clock.time('inner', () => wait(2))
    await clock.time('inner', () => clock.time('innermost', () => wait(3)))
    await wait(4)
  })
  await clock.time('outer', () => wait(5))
  expect(Object.fromEntries(clock.seconds().map(({ stage, seconds }) => [stage, seconds]))).toEqual({
    inner: 2,
    innermost: 3,
    outer: 10,
  })
  expect(totalSeconds(clock.seconds())).toBe(15)
})
