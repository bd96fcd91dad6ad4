import { writeFile } from 'node:fs/promises'
import { base } from '../../tsup.base.ts'
import { bundlePage } from './src/server/page/bundle.ts'

/** The chat page, made once, in place of `src/server/page/from-source.ts`. */
const writePage = async (): Promise<void> => {
  const parts = JSON.stringify(await bundlePage())
  await writeFile(
    new URL('dist/page.js', import.meta.url),
    `const parts = ${parts}\nexport const pageParts = async () => parts\n`,
  )
}

export default base([], {
  entry: {
    index: 'src/index.ts',
    node: 'src/node.ts',
    browser: 'src/browser.ts',
    server: 'src/server/index.ts',
    'ai-sdk': 'src/ai-sdk/index.ts',
  },
  onSuccess: writePage,
})
