import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { PageParts } from './template.ts'

/** Script and style of the page from its sources, small: for the build, and for whoever runs from source. */
export const bundlePage = async (): Promise<PageParts> => {
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const { outputFiles } = await build({
    entryPoints: [`${folder}main.tsx`, `${folder}style.css`],
    outdir: folder,
    absWorkingDir: folder,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: ['es2022', 'chrome123', 'firefox120', 'safari17.5'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    charset: 'utf8',
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  const textOf = (extension: string): string => {
    const text = outputFiles.find(({ path }) => path.endsWith(extension))!.text.trim()
    if (/<\/(?:script|style)|<!--/i.test(text)) throw new Error(`the page's ${extension} would end its element`)
    return text
  }
  return { script: textOf('.js'), style: textOf('.css') }
}
