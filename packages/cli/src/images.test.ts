import { expect, test } from 'vitest'
import { contentOf } from './images.ts'

const image = (path: string) => ({ type: 'image', path }) as const
const text = (words: string) => ({ type: 'text', text: words })

test('images stand in front of the question, or where it has a mark for each', () => {
  expect(contentOf('what?', [])).toBe('what?')
  expect(contentOf('what?', [image('a'), image('b')])).toEqual([image('a'), image('b'), text('what?')])
  expect(contentOf('<image>: before. <image>: after.', [image('a'), image('b')])).toEqual([
    image('a'),
    text(': before. '),
    image('b'),
    text(': after.'),
  ])
  expect(contentOf('What is <image>', [])).toBe('What is <image>')
})

test('marks of another number are wrong usage', () => {
  expect(() => contentOf('<image> and <image>?', [image('a')])).toThrow(/<image> 2 times, but --image is given 1 times/)
})
