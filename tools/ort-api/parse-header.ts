/** A function pointer in the struct OrtApi. */
export interface Member {
  readonly name: string
  /** `OrtStatus*`, `void`, `const char*`, ... */
  readonly returns: string
  /** The declarations of the parameters, with their SAL annotations. */
  readonly parameters: readonly string[]
  /** Minor version of the release that it came with; 1 where the header does not say. */
  readonly since: number
}

/** Replaces comments by spaces, so that places in the text stay what they are. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, ' '))

/** The text between the parenthesis at `start` and its partner, and the place after it. */
function parenthesized(text: string, start: number): { inner: string; end: number } {
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1
    if (text[at] === ')') depth -= 1
    if (depth === 0) return { inner: text.slice(start + 1, at), end: at + 1 }
  }
  throw new Error('a parenthesis is not closed')
}

/** Splits at the commas outside parentheses. */
function splitParameters(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const character of text) {
    if (character === ',' && depth === 0) {
      parts.push(part)
      part = ''
      continue
    }
    if (character === '(') depth += 1
    if (character === ')') depth -= 1
    part += character
  }
  return [...parts, part]
    .map((each) => each.replace(/\s+/g, ' ').trim())
    .filter((each) => each !== '' && each !== 'void')
}

/** The start of a member: one of the header's macros, or a plain function pointer `type(ORT_API_CALL* Name)`. */
const memberStart =
  /ORT_API2_STATUS(?=\()|ORT_CLASS_RELEASE(?=\()|ORT_API_T(?=\()|([\w* ]+)\(\s*ORT_API_CALL\s*\*\s*(\w+)\s*\)/g

/** Reads the members of the struct OrtApi in order. Throws when the text is no header of ONNX Runtime's C API. */
export function parseHeader(header: string): { version: number; members: Member[] } {
  const version = Number(/#define\s+ORT_API_VERSION\s+(\d+)/.exec(header)?.[1])
  const code = withoutComments(header)
  const start = code.indexOf('struct OrtApi {')
  const end = code.indexOf('\n};', start)
  if (!version || start < 0 || end < 0) throw new Error('this is no onnxruntime_c_api.h')

  const members: Member[] = []
  let last = start
  memberStart.lastIndex = start
  for (;;) {
    const found = memberStart.exec(code)
    if (!found || found.index > end) break
    const { inner, end: after } = parenthesized(code, memberStart.lastIndex)
    const parts = splitParameters(inner)
    const since = Number([...header.slice(last, found.index).matchAll(/\\since Version 1\.(\d+)/g)].at(-1)?.[1] ?? 1)
    const [macro, plainReturns, plainName] = found
    if (plainName !== undefined) {
      members.push({ name: plainName, returns: plainReturns!.trim(), parameters: parts, since })
    } else if (macro === 'ORT_API2_STATUS') {
      members.push({ name: parts[0]!, returns: 'OrtStatus*', parameters: parts.slice(1), since })
    } else if (macro === 'ORT_API_T') {
      members.push({ name: parts[1]!, returns: parts[0]!, parameters: parts.slice(2), since })
    } else {
      members.push({ name: `Release${parts[0]}`, returns: 'void', parameters: [`Ort${parts[0]}* input`], since })
    }
    memberStart.lastIndex = after
    last = after
  }
  return { version, members }
}
