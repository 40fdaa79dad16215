import { placeOf } from './log-entry.ts'
import type { LogEntry } from './log-entry.ts'
import { originOf } from './promises.ts'

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 23)

function lineOf(entry: LogEntry): string {
  const headers = Object.entries(entry.headers).map(([name, value]) => `${name}=${value}`)
  return `${clock(entry.appendedMs)} ${placeOf(entry)} key=${entry.key} ${entry.value.split(' ', 1)[0]} ${headers.join(' ')}`
}

/**
 * What the logs know about the records of a broken promise: they themselves, their origins, their ends, and whatever was written under the same ids,
 * by time.
 */
export function historyOf(about: readonly LogEntry[], inputs: readonly LogEntry[], outcomes: readonly LogEntry[]): readonly string[] {
  const places = new Set(about.flatMap(entry => [placeOf(entry), originOf(entry)]))
  const origins = inputs.filter(entry => places.has(placeOf(entry)))
  const idOf = ({ headers, partition }: LogEntry): string => `${partition}/${headers['sluice-id'] ?? ''}`
  const ids = new Set(origins.filter(({ headers }) => headers['sluice-id'] !== undefined).map(idOf))
  const named = inputs.filter(entry => ids.has(idOf(entry)))
  const from = new Set([...origins, ...named].map(placeOf))
  const ends = outcomes.filter(entry => from.has(originOf(entry)) || places.has(placeOf(entry)))
  return [...new Set([...origins, ...named, ...ends])].sort((a, b) => a.appendedMs - b.appendedMs).map(lineOf)
}
