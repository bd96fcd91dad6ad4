import { describe, expect, it } from 'vitest'
import { isImageDocument } from './image-records.ts'
import { documentOf } from './records.ts'
import type { ChatMessage, TextDocument } from './types.ts'

const messagesOf = (document: TextDocument): readonly ChatMessage[] => {
  if (!isImageDocument(document)) throw new Error('no images')
  return document.messages
}
const image = (name: string) => ({ type: 'image', image: name })
const text = (words: string) => ({ type: 'text', text: words })

describe('records with images', () => {
  it.each([
    ['beside a text', { image: 'a', text: 'b' }, [image('a'), text('b')]],
    ['several', { images: ['a', { path: 'c' }], text: 'b' }, [image('a'), image('c'), text('b')]],
    ['in its parts', { messages: [{ role: 'user', content: [text('b'), image('a')] }] }, [text('b'), image('a')]],
    [
      'at places of its parts',
      { images: ['a'], messages: [{ role: 'user', content: [text('b'), { type: 'image', text: null }] }] },
      [text('b'), image('a')],
    ],
    [
      'at markers',
      { images: ['a', 'c'], conversations: [{ from: 'human', value: '<image>\nb <image>' }] },
      [image('a'), text('b '), image('c')],
    ],
  ])('%s', (_, record, content) => {
    expect(messagesOf(documentOf(record, 'x'))).toEqual([{ role: 'user', content }])
  })

  it('puts images that have no place before what the user says first', () => {
    const turns = [
      { role: 'system', content: 'be kind' },
      { role: 'user', content: 'hello' },
    ]
    expect(messagesOf(documentOf({ image: 'a', messages: turns }, 'x'))[1]).toEqual({
      role: 'user',
      content: [image('a'), text('hello')],
    })
  })

  it('is text where there is no image', () => {
    expect(documentOf({ image: null, images: [], text: 'a <image> b' }, 'x')).toBe('a <image> b')
  })

  it.each([
    [{ images: ['a'], text: '<image> and <image>' }, /f line 3 has 1 images .* places for 2/],
    [{ images: ['a', 'b'], text: 'see <image>' }, /f line 3 has 2 images .* places for 1/],
    [{ messages: [{ role: 'user', content: [{ type: 'image' }] }] }, /f line 3 has 0 images .* places for 1/],
  ])('names the line of %o', (record, message) => {
    expect(() => documentOf(record, 'f line 3')).toThrow(message)
  })
})
