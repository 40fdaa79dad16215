const MAX_SHOWN = 80

/** A name from a stranger's file, fit for one line of a terminal: cut, and without control characters. */
export const shown = (name: string): string => {
  const cut = name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}...` : name
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}
