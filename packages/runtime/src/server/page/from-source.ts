import type { PageParts } from './template.ts'

/** The page's parts, made of its sources when they are first asked for. The build has a file of them in place of this one. */
export const pageParts = async (): Promise<PageParts> => {
  const { bundlePage } = await import('./bundle.ts')
  return bundlePage()
}
