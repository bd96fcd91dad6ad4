/** Finds the end of a JSON object or list that comes in pieces; it does not judge what is inside. */
export interface JsonScanner {
  /**
   * Takes the next piece of text.
   * @returns how many of its characters belong to the value, when it ends in this piece; -1 while it goes on
   */
  push(text: string): number
}

/** A scanner at the opening `{` or `[`. */
export const createJsonScanner = (): JsonScanner => {
  let depth = 0
  let quoted = false
  let escaped = false
  return {
    push(text) {
      for (let at = 0; at < text.length; at++) {
        const character = text[at]
        if (escaped) escaped = false
        else if (quoted) {
          if (character === '\\') escaped = true
          else if (character === '"') quoted = false
        } else if (character === '"') quoted = true
        else if (character === '{' || character === '[') depth++
        else if ((character === '}' || character === ']') && --depth <= 0) return at + 1
      }
      return -1
    },
  }
}
