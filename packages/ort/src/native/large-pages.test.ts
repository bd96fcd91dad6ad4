import { expect, test } from 'vitest'
import { addedRanges, anonymousRanges, largePagesOf } from './large-pages.ts'

const range = (start: number, end: number) => ({ start: BigInt(start), end: BigInt(end) })

test('finds private anonymous memory, and no files', () => {
  const maps = [
    '00400000-00500000 r-xp 00000000 fe:00 12 /usr/bin/node',
    '00600000-00700000 rw-p 00000000 00:00 0                          [heap]',
    '7f0000000000-7f0000200000 rw-p 00000000 00:00 0 ',
    '7f0000200000-7f0000300000 rw-s 00000000 00:01 3 /dev/zero',
    '7f0000300000-7f0000400000 rw-p 00000000 00:00 0 [stack]',
  ].join('\n')
  expect(anonymousRanges(maps)).toEqual([range(0x600000, 0x700000), range(0x7f0000000000, 0x7f0000200000)])
})

test.each([
  ['new memory', [], [range(10, 20)], [range(10, 20)]],
  ['nothing new', [range(10, 20)], [range(10, 20)], []],
  ['growth on both sides', [range(10, 20)], [range(5, 30)], [range(5, 10), range(20, 30)]],
  ['a hole between known ranges filled', [range(0, 4), range(8, 12)], [range(0, 12)], [range(4, 8)]],
  ['memory that is gone', [range(0, 4), range(8, 12)], [range(8, 12)], []],
])('tells what was added: %s', (_, before, after, added) => {
  expect(addedRanges(before, after)).toEqual(added)
})

test('takes whole large pages, and no more than 64 MiB for one call', () => {
  const page = 2 ** 21
  expect(largePagesOf([range(1, 2 * page - 1)])).toEqual([])
  expect(largePagesOf([range(1, 3 * page + 5)])).toEqual([range(page, 3 * page)])
  expect(largePagesOf([range(0, 33 * page)])).toEqual([range(0, 32 * page), range(32 * page, 33 * page)])
})
