/** A part of a line of text. */
export type Inline =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'code'; readonly text: string }
  | { readonly type: 'strong' | 'emphasis' | 'strike'; readonly children: readonly Inline[] }
  /** `address` is http, https or mailto. */
  | { readonly type: 'link'; readonly address: string; readonly children: readonly Inline[] }
  | { readonly type: 'break' }

/** How a column of a table is set. */
export type Alignment = 'left' | 'center' | 'right' | undefined

/** A part of a text that stands for itself. */
export type Block =
  | { readonly type: 'paragraph'; readonly children: readonly Inline[] }
  | { readonly type: 'heading'; readonly level: number; readonly children: readonly Inline[] }
  /** `language` is what follows the fence, and may be anything. */
  | { readonly type: 'code'; readonly language: string; readonly text: string }
  | { readonly type: 'quote'; readonly children: readonly Block[] }
  | { readonly type: 'list'; readonly start: number | undefined; readonly items: readonly (readonly Block[])[] }
  | {
      readonly type: 'table'
      readonly columns: readonly Alignment[]
      readonly head: readonly (readonly Inline[])[]
      readonly rows: readonly (readonly (readonly Inline[])[])[]
    }
  | { readonly type: 'rule' }

const inlineText = (nodes: readonly Inline[]): string =>
  nodes.map((node) => ('text' in node ? node.text : node.type === 'break' ? ' ' : inlineText(node.children))).join('')

const blockText = (block: Block): string => {
  switch (block.type) {
    case 'paragraph':
    case 'heading':
      return inlineText(block.children)
    case 'code':
      return block.text
    case 'quote':
      return plainText(block.children)
    case 'list':
      return block.items.map(plainText).join('\n')
    case 'table':
      return [block.head, ...block.rows].map((row) => row.map(inlineText).join(', ')).join('\n')
    case 'rule':
      return ''
  }
}

/** Blocks as words without marks, one line per block: for a voice to read. */
export const plainText = (blocks: readonly Block[]): string =>
  blocks
    .map(blockText)
    .filter((text) => text !== '')
    .join('\n')
