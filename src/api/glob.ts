/** `*` is any run of characters, `?` one character; everything else is itself. */
export const GLOB_PATTERN = '^[a-zA-Z0-9._*?-]+$'

/**
 * Matches by remembering only the last star: linear in the name for each star, never exponential, whatever a user writes.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  let p = 0
  let n = 0
  let star = -1
  let mark = 0
  while (n < name.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++
      mark = n
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[n])) {
      p++
      n++
    } else if (star >= 0) {
      p = star + 1
      n = ++mark
    } else return false
  }
  while (p < pattern.length && pattern[p] === '*') p++
  return p === pattern.length
}

/** True for a name that any of the patterns matches; an empty list matches nothing. */
export const anyGlob = (patterns: readonly string[]): ((name: string) => boolean) => {
  const literal = new Set(patterns.filter(pattern => !/[*?]/.test(pattern)))
  const wild = patterns.filter(pattern => /[*?]/.test(pattern))
  return name => literal.has(name) || wild.some(pattern => matchesGlob(pattern, name))
}
