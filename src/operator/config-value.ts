/** Keys whose value is a set written with commas: the order has no meaning. */
const SETS = new Set(['cleanup.policy', 'leader.replication.throttled.replicas', 'follower.replication.throttled.replicas'])

const INTEGER = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

/**
 * Whether two values of a topic config mean the same to Kafka, however they are written: `0.5` and `0.50`, `True` and `true`,
 * `compact,delete` and `delete, compact`.
 */
export function sameConfigValue(key: string, a: string | null, b: string | null): boolean {
  return a === b || (a !== null && b !== null && canonical(key, a) === canonical(key, b))
}

function canonical(key: string, value: string): string {
  const text = value.trim()
  if (SETS.has(key)) {
    const members = text.split(',').map(member => member.trim().toLowerCase())
    return [...new Set(members)].sort().join(',')
  }
  if (INTEGER.test(text)) return BigInt(text.replace(/^\+/, '')).toString()
  if (DECIMAL.test(text)) return Number(text).toString()
  return /^(true|false)$/i.test(text) ? text.toLowerCase() : text
}
