import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseMarkdown } from './blocks.ts'
import { parseInline, safeAddress } from './inline.ts'
import { type Block, type Inline, plainText } from './nodes.ts'

/** Inline nodes in a short notation. */
const short = (nodes: readonly Inline[]): string =>
  nodes
    .map((node) => {
      if (node.type === 'text') return node.text
      if (node.type === 'code') return `<code ${node.text}>`
      if (node.type === 'break') return '<br>'
      const name = node.type === 'link' ? `a ${node.address}` : node.type
      return `<${name}: ${short(node.children)}>`
    })
    .join('')

const inline = (text: string): string => short(parseInline(text))

const outline = (blocks: readonly Block[]): unknown[] =>
  blocks.map((block) => {
    switch (block.type) {
      case 'paragraph':
        return short(block.children)
      case 'heading':
        return { [`h${block.level}`]: short(block.children) }
      case 'code':
        return { code: block.text, language: block.language }
      case 'quote':
        return { quote: outline(block.children) }
      case 'list':
        return { [block.start === undefined ? 'ul' : `ol${block.start}`]: block.items.map(outline) }
      case 'table':
        return { columns: block.columns, rows: [block.head, ...block.rows].map((row) => row.map(short)) }
      default:
        return block.type
    }
  })

const blocks = (...lines: string[]) => outline(parseMarkdown(lines.join('\n')))

describe('marks within a line', () => {
  test.each([
    ['plain', 'plain'],
    ['**bold** and *slanted* and ***both***', '<strong: bold> and <emphasis: slanted> and <emphasis: <strong: both>>'],
    ['__bold__ _slanted_ snake_case_name', '<strong: bold> <emphasis: slanted> snake_case_name'],
    ['2 * 3 * 4 and a*b*c', '2 * 3 * 4 and a<emphasis: b>c'],
    ['**open and *closed*', '**open and <emphasis: closed>'],
    ['*a **b** c*', '<emphasis: a <strong: b> c>'],
    ['**a*', '*<emphasis: a>'],
    ['~~gone~~ ~too~ 5~6', '<strike: gone> <strike: too> 5~6'],
    ['`code *x* <b>` and ``a`b`` and `open', '<code code *x* <b>> and <code a`b> and `open'],
    ['\\*not\\* \\q', '*not* \\q'],
    ['one  \ntwo\nthree\\\nfour', 'one<br>two\nthree<br>four'],
    ['<b onclick="x()">html</b> &amp; &lt;', '<b onclick="x()">html</b> &amp; &lt;'],
    ['******', '******'],
  ])('%s', (text, expected) => {
    expect(inline(text)).toBe(expected)
  })

  test.each([
    ['[here](https://a.org/b "T")', '<a https://a.org/b: here>'],
    ['[a *b*](<http://a.org/x y>)', '<a http://a.org/x%20y: a <emphasis: b>>'],
    ['[w](https://a.org/w_(x))', '<a https://a.org/w_(x): w>'],
    ['![picture](https://a.org/i.png)', '<a https://a.org/i.png: picture>'],
    ['<https://a.org>', '<a https://a.org/: https://a.org>'],
    [
      'see https://a.org/x_y_z, or (http://b.org).',
      'see <a https://a.org/x_y_z: https://a.org/x_y_z>, or (<a http://b.org/: http://b.org>).',
    ],
    ['[x](javascript:alert(1))', '[x](javascript:alert(1))'],
    ['[x](data:text/html,y) [r] [z]: q', '[x](data:text/html,y) [r] [z]: q'],
    ['[x](//a.org) [y](/v1/models)', '[x](//a.org) [y](/v1/models)'],
    ['[x](java\tscript:alert(1))', '[x](java\tscript:alert(1))'],
    ['[a [b](https://c.org) d](https://e.org)', '[a <a https://c.org/: b> d](<a https://e.org/: https://e.org>)'],
  ])('%s', (text, expected) => {
    expect(inline(text)).toBe(expected)
  })
})

describe('blocks', () => {
  test('headings, rules, paragraphs', () => {
    expect(blocks('# One #', 'two', 'three', '---', '####### seven', '#tag', '## ')).toEqual([
      { h1: 'One' },
      'two\nthree',
      'rule',
      '####### seven\n#tag',
      { h2: '' },
    ])
  })

  test('code between fences, as it stands, open at the end while it is being written', () => {
    expect(
      blocks('a', '```ts title', '  *x* <b>', '', '~~~', '```', 'b', '~~~~', '```', '~~~~', '```py', 'open'),
    ).toEqual([
      'a',
      { code: '  *x* <b>\n\n~~~', language: 'ts' },
      'b',
      { code: '```', language: '' },
      { code: 'open', language: 'py' },
    ])
  })

  test('lists: nested by two or more, tight or loose, numbered from where they begin', () => {
    expect(blocks('- a', '  - b', '    c', '- d', '', '  e', '', '3. x', '4. y', '   - z')).toEqual([
      {
        ul: [
          ['a', { ul: [['b\nc']] }],
          ['d', 'e'],
        ],
      },
      { ol3: [['x'], ['y', { ul: [['z']] }]] },
    ])
    expect(blocks('1. one', '  - under', '2. two', 'lazy', '', 'after')).toEqual([
      { ol1: [['one', { ul: [['under']] }], ['two\nlazy']] },
      'after',
    ])
    expect(blocks('* a', '+ b', 'It was in', '1989. Then')).toEqual([
      { ul: [['a']] },
      { ul: [['b\nIt was in\n1989. Then']] },
    ])
  })

  test('code in a list item keeps its lines together', () => {
    expect(blocks('1. Run', '   ```sh', '   npm ci', '', '   - no item', '   ```', '2. Done')).toEqual([
      { ol1: [['Run', { code: 'npm ci\n\n- no item', language: 'sh' }], ['Done']] },
    ])
  })

  test('quotes', () => {
    expect(blocks('> a', 'lazy', '> > b', '', 'c')).toEqual([{ quote: ['a\nlazy', { quote: ['b'] }] }, 'c'])
  })

  test('tables', () => {
    expect(blocks('| a | b |', '|:--|--:|', '| `x|y` | 1 \\| 2 |', '| only |', '', 'end')).toEqual([
      {
        columns: ['left', 'right'],
        rows: [
          ['a', 'b'],
          ['<code x|y>', '1 | 2'],
          ['only', ''],
        ],
      },
      'end',
    ])
    expect(blocks('a | b', '--|')).toEqual(['a | b\n--|'])
  })
})

test('only addresses of the web and of mail are followed', () => {
  for (const bad of [
    'javascript:alert(1)',
    'JAVASCRIPT://a%0aalert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc',
    'blob:x',
    ' https://a',
    'https://',
  ]) {
    expect(safeAddress(bad)).toBeUndefined()
  }
  expect(safeAddress('mailto:a@b.c')).toBe('mailto:a@b.c')
})

const characters = fc.constantFrom(
  ...'ab *_~`[]()<>!\\|#-+>1.\n h\t\r😀',
  'https://a.b',
  '](',
  '```',
  '**',
  '](https://x.y)',
  '|-|',
)
const anyText = fc.array(characters, { maxLength: 120 }).map((parts) => parts.join(''))

test('nothing but the web and mail comes out of any text, and no word of a plain text is lost', () => {
  const check = (nodes: readonly Inline[]): void => {
    for (const node of nodes) {
      if (node.type === 'link') expect(node.address).toMatch(/^(?:https?:\/\/|mailto:)/)
      if ('children' in node) check(node.children)
    }
  }
  fc.assert(fc.property(anyText, (text) => check(parseInline(text))))
  fc.assert(
    fc.property(anyText, (text) => {
      const letters = (words: string) => words.replaceAll(/[^ab😀]/gu, '')
      // Addresses and the words after a fence are not shown.
      if (/```|~~~|\]\(|https/.test(text)) return
      expect(letters(plainText(parseMarkdown(text)))).toBe(letters(text))
    }),
    { numRuns: 500 },
  )
})

/** How deep blocks and marks are nested. */
const depthOf = (node: unknown): number =>
  typeof node === 'object' && node !== null ? 1 + Math.max(0, ...Object.values(node).map(depthOf)) : 0

test.each([
  ['*a '.repeat(30_000)],
  [`${'*a **b '.repeat(15_000)}${'** *'.repeat(15_000)}`],
  ['['.repeat(60_000)],
  [`${'['.repeat(30_000)}${']('.repeat(30_000)}`],
  ['`a``b```'.repeat(8_000)],
  ['> '.repeat(30_000)],
  ['- '.repeat(30_000)],
  [`${'*'.repeat(30_000)}a${'*'.repeat(30_000)}`],
  ['<https://a'.repeat(6_000)],
  ['[a](https://'.repeat(5_000)],
  [`${'|'.repeat(30_000)}\n${'-|'.repeat(30_000)}`],
  ['# #'.repeat(20_000)],
  [`${' '.repeat(60_000)}x`],
  [`x${' '.repeat(60_000)}#`],
  [`${'- - -'.repeat(12_000)}x`],
  [Array.from({ length: 3_000 }, (_, index) => `${' '.repeat(index % 200)}- x`).join('\n')],
  [Array.from({ length: 2_000 }, () => '1. a\n\n').join('')],
])('a hostile text is parsed soon, and not too deep (%#)', (text) => {
  const started = performance.now()
  const parsed = parseMarkdown(text)
  expect(depthOf(parsed)).toBeLessThan(400)
  expect(performance.now() - started).toBeLessThan(3_000)
})
