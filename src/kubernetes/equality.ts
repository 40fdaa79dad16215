import { createHash } from 'node:crypto'

/** Equal as the API server sees it: key order does not count, an absent field equals an undefined one. */
export function semanticallyEqual(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

/** JSON with sorted keys and without undefined fields. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return value === undefined ? 'null' : JSON.stringify(value)
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`
}

/** Short fingerprint of a value's meaning, fit for an annotation. */
export const fingerprint = (value: unknown): string => createHash('sha256').update(canonical(value)).digest('hex').slice(0, 16)

/**
 * The part of `live` that `intent` speaks of. Lists of named entries (containers, ports, volumes) are matched by name, so that an entry
 * that somebody else added is not seen as a difference; other lists are compared whole.
 */
export function projection(live: unknown, intent: unknown): unknown {
  if (Array.isArray(intent)) {
    if (!Array.isArray(live)) return live
    return intent.every(isNamed)
      ? intent.map(wanted =>
          projection(
            live.find(entry => isNamed(entry) && entry.name === wanted.name),
            wanted,
          ),
        )
      : live
  }
  if (!isRecord(intent)) return live
  if (!isRecord(live)) return live
  return Object.fromEntries(Object.entries(intent).map(([name, wanted]) => [name, projection(live[name], wanted)]))
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isNamed = (value: unknown): value is { readonly name: string } => isRecord(value) && typeof value.name === 'string'
