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
