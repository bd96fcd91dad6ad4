import type { Member } from './parse-header.ts'

interface NativeType {
  /** In koffi's prototypes. */
  readonly c: string
  /** In TypeScript. */
  readonly ts: string
}

export interface Signature {
  readonly returns: string
  readonly parameters: readonly string[]
  /** The whole function's type in TypeScript. */
  readonly type: string
}

const pointer: NativeType = { c: 'void *', ts: 'NativeMemory' }

const scalars: Readonly<Record<string, NativeType>> = {
  bool: { c: 'bool', ts: 'boolean' },
  int: { c: 'int', ts: 'number' },
  int64_t: { c: 'int64_t', ts: 'number | bigint' },
  uint32_t: { c: 'uint32_t', ts: 'number' },
  size_t: { c: 'size_t', ts: 'number | bigint' },
}

/**
 * The type of one parameter. A string that is read becomes a JavaScript string; any other pointer is an address or a
 * typed array, paths included (their characters have two bytes on Windows); an enum is an int.
 */
function typeOf(declaration: string): { name: string; type: NativeType } {
  const plain = declaration
    .replace(/\b_(?:In|Out|Inout|Outptr|Frees|Ret|Check)\w*_\b(?:\s*\([^)]*\))?/g, '')
    .replace(/\benum\b/g, '')
    .replace(/\s+/g, ' ')
    .trim()
  const match = /^(.*?)\s*\b(\w+)(?:\s*\[\])?$/.exec(plain)
  if (!match) throw new Error(`cannot read the parameter ${declaration}`)
  const [, type, name] = match as unknown as [string, string, string]
  if (plain.endsWith('[]')) return { name, type: pointer }
  if (/^const char ?\*$/.test(type)) return { name, type: { c: 'const char *', ts: 'string' } }
  if (type.includes('*')) return { name, type: pointer }
  const scalar = scalars[type.replace('const ', '')]
  if (scalar) return { name, type: scalar }
  if (/^(?:Ort|ONNX|GraphOptimizationLevel|ExecutionMode)\w*$/.test(type)) return { name, type: scalars.int! }
  throw new Error(`unknown type ${type} of the parameter ${declaration}`)
}

function returnTypeOf(returns: string): NativeType {
  if (returns === 'void') return { c: 'void', ts: 'void' }
  if (/^const char ?\*$/.test(returns)) return { c: 'const char *', ts: 'string | null' }
  if (returns.includes('*')) return { c: 'void *', ts: 'bigint | null' }
  return scalars[returns] ?? { c: 'int', ts: 'number' }
}

/** A member's prototype in koffi's types, and its type in TypeScript. */
export function signatureOf({ returns, parameters }: Member): Signature {
  const typed = parameters.map(typeOf)
  const result = returnTypeOf(returns)
  return {
    returns: result.c,
    parameters: typed.map(({ type }) => type.c),
    type: `NativeFunction<[${typed.map((each) => `${each.name}: ${each.type.ts}`).join(', ')}], ${result.ts}>`,
  }
}
