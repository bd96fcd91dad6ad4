import ts from 'typescript'

export interface Import {
  readonly specifier: string
  /** Gone after compilation: `import type`, `export type … from`, `import('x').Type`. */
  readonly typeOnly: boolean
}

const isImportMetaUrl = (node: ts.Expression | undefined): boolean => node?.getText() === 'import.meta.url'

/** The module a node refers to: static and dynamic imports, re-exports, `require`, `new URL('./x.ts', import.meta.url)`. */
function importOf(node: ts.Node): { specifier: ts.Node | undefined; typeOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node)) {
    return { specifier: node.moduleSpecifier, typeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword }
  }
  if (ts.isExportDeclaration(node)) return { specifier: node.moduleSpecifier, typeOnly: node.isTypeOnly }
  if (ts.isImportTypeNode(node)) return { specifier: (node.argument as ts.LiteralTypeNode).literal, typeOnly: true }
  if (ts.isCallExpression(node)) {
    const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require'
    return isImport ? { specifier: node.arguments[0], typeOnly: false } : undefined
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'URL' && isImportMetaUrl(node.arguments?.[1])) {
    return { specifier: node.arguments?.[0], typeOnly: false }
  }
  return undefined
}

/** Every module that a TypeScript source refers to by a literal. */
export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const made = importOf(node)
    if (made?.specifier && ts.isStringLiteralLike(made.specifier)) {
      found.push({ specifier: made.specifier.text, typeOnly: made.typeOnly })
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  return found
}
