import { describe, expect, test } from '@jest/globals'
import { aPipelineConfig } from '../../../../test/support/dead-letter-pipeline.ts'
import type { CallFailureReason, CallOutcome } from '../../../worker/task.ts'
import type { RuleConfig } from '../config.ts'
import type { Failure } from '../failure.ts'
import { Judge } from '../judge.ts'
import { replyOf, shortOf } from './reply.ts'

const NOW = Date.UTC(2026, 0, 1)
const http = { source: 'orders', target: { url: 'http://app:8080/', timeoutMs: 1_000, maxInFlight: 1 } }
const answered = (status: number, more: object = {}): CallOutcome => ({ type: 'answered', status, tookMs: 1, ...more })
const failed = (reason: CallFailureReason): CallOutcome => ({ type: 'failed', reason, message: 'app:8080: what happened', tookMs: 1 })

const aFailure = (more: Partial<Failure>): Failure => ({
  made: 1,
  firstFailureMs: undefined,
  deadlineMs: undefined,
  retryAfterMs: undefined,
  rejected: false,
  errorClass: '',
  message: '',
  code: '',
  stack: '',
  fingerprint: '',
  origin: undefined,
  ...more,
})

/** What becomes of a record whose first delivery had this outcome. */
function fate(outcome: CallOutcome, rules: readonly RuleConfig[] = []): string {
  const reply = replyOf(outcome, 'app:8080', NOW)
  if (reply.type !== 'failed') return reply.type
  const { errorClass, message, code, retryAfterMs } = reply
  const judge = new Judge(aPipelineConfig({ http, rules }))
  const decision = judge.decide(aFailure({ errorClass, message, code, retryAfterMs }), [], { atMs: NOW, place: 'x' })
  if (typeof decision === 'number') return `again after ${decision - NOW} ms`
  return decision === 'drop' ? 'dropped' : decision.disposition
}

describe('an outcome', () => {
  test.each([
    [200, 'done'],
    [201, 'done'],
    [204, 'done'],
    [299, 'done'],
    [301, 'non-retriable'],
    [302, 'non-retriable'],
    [304, 'non-retriable'],
    [307, 'non-retriable'],
    [400, 'non-retriable'],
    [401, 'non-retriable'],
    [403, 'non-retriable'],
    [404, 'non-retriable'],
    [408, 'again after 1000 ms'],
    [409, 'non-retriable'],
    [410, 'non-retriable'],
    [413, 'non-retriable'],
    [415, 'non-retriable'],
    [422, 'non-retriable'],
    [425, 'again after 1000 ms'],
    [429, 'again after 1000 ms'],
    [499, 'non-retriable'],
    [500, 'again after 1000 ms'],
    [501, 'again after 1000 ms'],
    [502, 'again after 1000 ms'],
    [503, 'again after 1000 ms'],
    [504, 'again after 1000 ms'],
    [599, 'again after 1000 ms'],
  ])('should mean with status %i: %s', (status, want) => {
    expect(fate(answered(status))).toBe(want)
  })

  test.each(['timeout', 'refused', 'reset', 'unreachable', 'dns', 'tls', 'protocol', 'incomplete'] as const)(
    'should be tried again after %s',
    reason => {
      expect(fate(failed(reason))).toBe('again after 1000 ms')
      expect(replyOf(failed(reason), 'app', NOW)).toMatchObject({ errorClass: `http.${reason}`, code: '' })
    },
  )

  test('should not count when the address is forbidden', () => {
    expect(fate(failed('address-forbidden'))).toBe('forbidden')
  })

  test.each([
    ['7', 7_000],
    ['0', 0],
    [new Date(NOW + 9_000).toUTCString(), 9_000],
    [new Date(NOW - 9_000).toUTCString(), 0],
    ['3600', 300_000],
    ['soon', 1_000],
    ['-5', 1_000],
    ['', 1_000],
  ])('should honour Retry-After "%s" within the cap: %i ms', (retryAfter, want) => {
    expect(fate(answered(429, { retryAfter }))).toBe(`again after ${want} ms`)
  })

  test.each([
    { rules: [{ match: { status: ['400-499'] }, action: 'Retry' as const }], status: 404, want: 'again after 1000 ms' },
    { rules: [{ match: { status: [404] }, action: 'Drop' as const }], status: 404, want: 'dropped' },
    { rules: [{ match: { status: ['500-599'] }, action: 'DeadLetter' as const }], status: 503, want: 'non-retriable' },
    { rules: [{ match: { status: ['300-399'] }, action: 'Retry' as const }], status: 302, want: 'again after 1000 ms' },
    { rules: [{ match: { errorClass: ['http.503'] }, action: 'Drop' as const }], status: 503, want: 'dropped' },
    { rules: [{ match: { status: [409] }, action: 'Retry' as const }, { match: { status: ['400-499'] }, action: 'Drop' as const }], status: 409, want: 'again after 1000 ms' }, // prettier-ignore
    { rules: [{ match: { status: [500] }, action: 'Drop' as const }], status: 502, want: 'again after 1000 ms' },
  ])('should mean what the first rule says that matches: $want', ({ rules, status, want }) => {
    expect(fate(answered(status), rules)).toBe(want)
  })

  test('should let a rule on a class speak of what has no status', () => {
    const rules = [{ match: { errorClass: ['http.timeout'] }, action: 'DeadLetter' as const }]
    expect(fate(failed('timeout'), rules)).toBe('non-retriable')
    expect(fate(failed('refused'), rules)).toBe('again after 1000 ms')
  })

  test('should leave statuses of applications that read the topic themselves alone', () => {
    const judge = new Judge(aPipelineConfig())
    expect(judge.decide(aFailure({ errorClass: 'http.404', code: '404' }), [], { atMs: NOW, place: 'x' })).toBe(NOW + 1_000)
  })

  test('should say of a redirect where it led to, without what may be secret', () => {
    const reply = replyOf(answered(302, { location: 'https://else.where/path?token=secret#x' }), 'app:8080', NOW)
    expect(reply).toMatchObject({
      message: expect.stringContaining('app:8080 answered 302, to https://else.where/path: redirects are not followed'),
    })
  })

  test('should be counted under few names', () => {
    expect([answered(204), answered(418), answered(599), failed('dns')].map(shortOf)).toEqual(['2xx', '4xx', '5xx', 'dns'])
  })
})
