import { describe, expect, test } from '@jest/globals'
import { judge } from '../../support/torture/judge.ts'
import type { LogEntry } from '../../support/torture/log-entry.ts'
import type { QueueFacts } from '../../support/torture/promises.ts'

const QUEUE: QueueFacts = { input: 'in', fixed: new Map([['fixed', 5_000]]), target: 'to', deadLetter: 'dlq' }
const BEGIN = 1_000_000

let offsets: Record<string, number> = {}

function append(topic: string, appendedMs: number, headers: LogEntry['headers'], more: Partial<LogEntry> = {}): LogEntry {
  const offset = (offsets[topic] ?? -1) + 1
  offsets[topic] = offset
  return { topic, partition: 2, offset, appendedMs, key: 'k', value: 'v', headers, ...more }
}

const scheduled = (delayMs: number, headers: LogEntry['headers'] = {}, atMs = BEGIN): LogEntry =>
  append('in', atMs, { 'sluice-delay': String(delayMs), own: 'o', ...headers })
const cancel = (id: string, atMs: number): LogEntry => append('in', atMs, { 'sluice-op': 'cancel', 'sluice-id': id })
const origin = ({ topic, partition, offset }: LogEntry): LogEntry['headers'] => ({
  'sluice-origin-topic': topic,
  'sluice-origin-partition': String(partition),
  'sluice-origin-offset': String(offset),
})
const delivered = (entry: LogEntry, more: Partial<LogEntry> = {}): LogEntry => {
  const dueMs = entry.appendedMs + Number(entry.headers['sluice-delay'] ?? 5_000)
  const headers = { own: 'o', ...origin(entry), 'sluice-scheduled-for': String(dueMs), 'sluice-fired-at': String(dueMs + 3) }
  return append('to', dueMs + 5, headers, { seenAtMs: dueMs + 8, ...more })
}
const dead = (entry: LogEntry, disposition: string): LogEntry =>
  append('dlq', BEGIN, { ...entry.headers, ...origin(entry), 'sluice-disposition': disposition })

/** Kinds of violations found. */
const found = (inputs: readonly LogEntry[], outcomes: readonly LogEntry[]): readonly string[] => {
  offsets = {}
  return judge(QUEUE, inputs, outcomes).violations.map(({ kind }) => kind)
}

describe('a plain message', () => {
  test('should be fine when it is delivered once, in time', () => {
    const message = scheduled(3_000)
    expect(found([message], [delivered(message)])).toEqual([])
  })

  test.each<[string, (message: LogEntry) => readonly LogEntry[], readonly string[]]>([
    ['nowhere', () => [], ['lost']],
    ['twice', message => [delivered(message), delivered(message)], ['doubled']],
    ['delivered and dead', message => [delivered(message), dead(message, 'poison')], ['doubled', 'wrong']],
    ['where a reader has it before its time', message => [delivered(message, { seenAtMs: BEGIN + 2_999 })], ['early']],
    ['dead', message => [dead(message, 'late')], ['wrong']],
    ['with another value', message => [delivered(message, { value: 'w' })], ['wrong']],
    ['without its own header', message => [delivered(message, { headers: { ...delivered(message).headers, own: 'x' } })], ['wrong']],
    ['with a control header', message => [delivered(message, { headers: { ...delivered(message).headers, 'x-delay': '1' } })], ['wrong']],
    ['in another partition', message => [delivered(message, { partition: 3 })], ['wrong']],
    ['elsewhere', message => [delivered(message, { topic: 'other' })], ['wrong']],
  ])('should be judged when it ends %s', (_, ends, kinds) => {
    const message = scheduled(3_000)
    expect(found([message], ends(message))).toEqual(kinds)
  })

  test('should be told as a phantom when nobody wrote it', () => {
    expect(found([], [delivered(scheduled(1))])).toEqual(['phantom'])
  })

  test('should be due by the delay of its topic', () => {
    const message = append('fixed', BEGIN, { own: 'o' })
    expect(found([message], [delivered(message, { seenAtMs: BEGIN + 4_999 })])).toEqual(['early'])
  })
})

describe('order', () => {
  test('should be by due time for one key', () => {
    const [first, second] = [scheduled(3_000), scheduled(4_000)]
    expect(found([first, second], [delivered(second), delivered(first)])).toEqual(['misordered'])
  })

  test('should be by arrival where due times are equal', () => {
    const [first, second] = [scheduled(3_000), scheduled(3_000)]
    expect(found([first, second], [delivered(second), delivered(first)])).toEqual(['misordered'])
  })

  test('should not matter between keys, or for what was appended late', () => {
    const [first, second, late] = [scheduled(3_000), { ...scheduled(4_000), key: 'l' }, scheduled(100, {}, BEGIN + 3_500)]
    const outcomes = [delivered(second, { key: 'l' }), delivered(first), delivered(late)]
    expect(found([first, second, late], outcomes)).toEqual([])
  })
})

describe('a message with an id', () => {
  const id = { 'sluice-id': 'x' }

  test.each([
    { aheadMs: 1_000, deliver: true, kinds: ['cancelled'] },
    { aheadMs: 999, deliver: true, kinds: [] },
    { aheadMs: 1_000, deliver: false, kinds: [] },
    { aheadMs: 999, deliver: false, kinds: [] },
  ])('should be cancelled $aheadMs ms ahead (delivered: $deliver)', ({ aheadMs, deliver, kinds }) => {
    const message = scheduled(3_000, id)
    expect(found([message, cancel('x', BEGIN + 3_000 - aheadMs)], deliver ? [delivered(message)] : [])).toEqual(kinds)
  })

  test('should not be ended by a cancel before it or of another id', () => {
    const inputs = [cancel('x', BEGIN), scheduled(3_000, id), cancel('y', BEGIN)]
    expect(found(inputs, [])).toEqual(['lost'])
  })

  test('should be replaced by a higher version', () => {
    const [first, second] = [scheduled(3_000, id), scheduled(3_000, { ...id, 'sluice-version': '1' })]
    expect(found([first, second], [delivered(first), delivered(second)])).toEqual(['superseded'])
    expect(found([first, second], [delivered(second)])).toEqual([])
    expect(found([first, second], [])).toEqual(['lost'])
  })

  test('should be dropped behind a higher version, unless a cancel stands between them', () => {
    const [second, first] = [scheduled(3_000, { ...id, 'sluice-version': '1' }), scheduled(3_000, id)]
    expect(found([second, first], [delivered(second), delivered(first)])).toEqual(['superseded'])
    const [higher, cut, anew] = [scheduled(3_000, { ...id, 'sluice-version': '1' }), cancel('x', BEGIN), scheduled(3_000, id)]
    expect(found([higher, cut, anew], [delivered(anew)])).toEqual([])
  })
})

test('should expect of a bad record the disposition that its producer foretold', () => {
  const bad = append('in', BEGIN, { expect: 'poison' })
  expect(found([bad], [dead(bad, 'poison')])).toEqual([])
  expect(found([bad], [dead(bad, 'expired')])).toEqual(['wrong'])
  expect(found([bad], [])).toEqual(['lost'])
})
