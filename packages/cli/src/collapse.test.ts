import { expect, it } from 'vitest'
import { collapse } from './collapse.ts'

it('groups names that differ in numbers, in the order they come', () => {
  const names = ['embed', 'layers.0.q', 'layers.0.k', 'layers.1.q', 'layers.1.k', 'layers.3.q', 'h.2x.q']
  const families = collapse(
    names,
    (name) => name,
    () => '',
  )
  expect(families.map(({ name, members }) => [name, members.length])).toEqual([
    ['embed', 1],
    ['layers.0..3.q', 3],
    ['layers.0-1.k', 2],
    ['h.2x.q', 1],
  ])
})
it('keeps different keys apart', () => {
  const items = [
    { name: 'l.0', shape: '1' },
    { name: 'l.1', shape: '2' },
  ]
  expect(
    collapse(
      items,
      (item) => item.name,
      (item) => item.shape,
    ),
  ).toHaveLength(2)
})
