import type { ComponentChildren, JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { parseMarkdown } from '../markdown/blocks.ts'
import type { Alignment, Block, Inline } from '../markdown/nodes.ts'
import { CopyButton } from './copy-button.tsx'

const inline = (nodes: readonly Inline[]): ComponentChildren =>
  nodes.map((node) => {
    switch (node.type) {
      case 'text':
        return node.text
      case 'code':
        return <code>{node.text}</code>
      case 'strong':
        return <strong>{inline(node.children)}</strong>
      case 'emphasis':
        return <em>{inline(node.children)}</em>
      case 'strike':
        return <s>{inline(node.children)}</s>
      case 'link':
        return (
          <a href={node.address} target="_blank" rel="noopener noreferrer nofollow" title={node.address}>
            {inline(node.children)}
          </a>
        )
      default:
        return <br />
    }
  })

/** The page's own headings come first. */
const headings = ['h3', 'h4', 'h5', 'h6', 'h6', 'h6'] as const

const cells = (Cell: 'th' | 'td', row: readonly (readonly Inline[])[], columns: readonly Alignment[]) =>
  row.map((cell, column) => <Cell class={columns[column]}>{inline(cell)}</Cell>)

/** Paragraphs of a list of short items stand close together. */
const isShort = (items: readonly (readonly Block[])[]): boolean =>
  items.every((item) => item.filter(({ type }) => type !== 'list').length <= 1)

const Code = ({ text, language }: { text: string; language: string }) => (
  <div class="code">
    <div class="code-head">
      <span>{language}</span>
      <CopyButton text={text} what="code" />
    </div>
    {/* biome-ignore lint/a11y: what scrolls must be reached by keyboard, and is no landmark */}
    <pre tabIndex={0} role="group" aria-label={language ? `Code, ${language}` : 'Code'}>
      <code>{text}</code>
    </pre>
  </div>
)

const blockView = (block: Block): JSX.Element => {
  switch (block.type) {
    case 'paragraph':
      return <p>{inline(block.children)}</p>
    case 'heading': {
      const Heading = headings[block.level - 1]!
      return <Heading>{inline(block.children)}</Heading>
    }
    case 'code':
      return <Code text={block.text} language={block.language} />
    case 'quote':
      return <blockquote>{block.children.map(blockView)}</blockquote>
    case 'list': {
      const items = block.items.map((item) => <li>{item.map(blockView)}</li>)
      const tight = isShort(block.items) ? 'tight' : undefined
      return block.start === undefined ? (
        <ul class={tight}>{items}</ul>
      ) : (
        <ol class={tight} start={block.start}>
          {items}
        </ol>
      )
    }
    case 'table':
      return (
        // biome-ignore lint/a11y: what scrolls must be reached by keyboard, and is no landmark
        <div class="table" tabIndex={0} role="group" aria-label="Table">
          <table>
            <thead>
              <tr>{cells('th', block.head, block.columns)}</tr>
            </thead>
            <tbody>
              {block.rows.map((row) => (
                <tr>{cells('td', row, block.columns)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      )
    case 'rule':
      return <hr />
  }
}

/** A text of a model as elements: nothing of it becomes markup but what the parser knows. */
export const Markdown = ({ text }: { text: string }) => {
  const blocks = useMemo(() => parseMarkdown(text), [text])
  return <div class="markdown">{blocks.map(blockView)}</div>
}
