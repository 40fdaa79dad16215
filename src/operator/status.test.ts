import { describe, expect, test } from '@jest/globals'
import { aResource } from '../../test/support/fakes/builders.ts'
import type { Resource } from '../api/resource.ts'
import { withStatus } from './memory.ts'
import type { Problem } from './plan.ts'
import { saysTheSame, StatusReport, type Findings } from './status.ts'

const NOW = Date.UTC(2026, 0, 1)
const board = aResource('Board', 'one', {}, { generation: 4 })
const findings = (given: Partial<Findings> = {}): Findings => ({
  problems: [],
  fields: {},
  parts: [],
  gone: [],
  well: { reason: 'Ready', message: 'fine' },
  ...given,
})
const problem = (severity: Problem['severity'], message: string): Problem => ({ severity, reason: 'TopicFailed', message })
const found = (given: Partial<Findings>, of: Resource = board, now = NOW) => new StatusReport(of, now).found(findings(given))
const short = (patch: ReturnType<typeof found>) => patch.conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`)

describe('status', () => {
  test.each([
    { why: 'all is well', given: {}, want: ['Ready=True Ready', 'Reconciling=False Ready', 'Stalled=False Ready'] },
    {
      why: 'a warning',
      given: { problems: [problem('Warning', 'w')] },
      want: ['Ready=True Ready', 'Reconciling=False Ready', 'Stalled=False Ready'],
    },
    {
      why: 'it waits',
      given: { pending: 'p' },
      want: ['Ready=False Reconciling', 'Reconciling=True Reconciling', 'Stalled=False Reconciling'],
    },
    {
      why: 'it may heal',
      given: { problems: [problem('NotReady', 'n')] },
      want: ['Ready=False TopicFailed', 'Reconciling=True TopicFailed', 'Stalled=False TopicFailed'],
    },
    {
      why: 'a human must act',
      given: { problems: [problem('NotReady', 'n'), problem('Stalled', 's')] },
      want: ['Ready=False TopicFailed', 'Reconciling=False TopicFailed', 'Stalled=True TopicFailed'],
    },
  ])('should set all three conditions when $why', ({ given, want }) => {
    expect(short(found(given))).toEqual(want)
    expect(found(given).conditions.every(({ observedGeneration }) => observedGeneration === 4)).toBe(true)
  })

  test('should tell the worst problem first and count those like it', () => {
    const problems = [problem('NotReady', 'n'), problem('Stalled', 'first'), problem('Stalled', 'second')]
    expect(found({ problems }).conditions[0]?.message).toBe('first (and 1 more)')
  })

  test('should tell one problem of each reason: none hides what another asks for', () => {
    const outside: Problem = { severity: 'Stalled', reason: 'TopicNotAllowed', message: 'outside' }
    const problems = [problem('Stalled', 'first'), problem('Stalled', 'second'), outside]
    expect(found({ problems }).conditions[0]).toMatchObject({
      reason: 'TopicFailed',
      message: 'first; TopicNotAllowed: outside (and 1 more)',
    })
  })

  test('should move the transition time with the status of a condition only', () => {
    const first = found({})
    const later = found({ well: { reason: 'Observed', message: 'other' } }, withStatus(board, first), NOW + 60_000)
    expect(later.conditions[0]).toMatchObject({ reason: 'Observed', lastTransitionTime: '2026-01-01T00:00:00Z' })
    const worse = found({ pending: 'p' }, withStatus(board, later), NOW + 120_000)
    expect(worse.conditions[0]?.lastTransitionTime).toBe('2026-01-01T00:02:00Z')
    expect(worse.conditions[2]?.lastTransitionTime).toBe('2026-01-01T00:00:00Z')
  })

  test('should keep the fields and the other conditions when it could not look', () => {
    const part = { type: 'WorkersReady', status: 'True', reason: 'WorkersReady', message: '' } as const
    const stored = withStatus(board, found({ fields: { a: 1 }, parts: [part] }))
    const patch = new StatusReport(stored, NOW).notReady('ConnectionNotReady', 'away')
    expect(patch.fields).toEqual({ a: 1 })
    expect(patch.conditions.map(({ type }) => type)).toContain('WorkersReady')
    expect(found({ gone: ['WorkersReady'] }, stored).conditions.map(({ type }) => type)).not.toContain('WorkersReady')
  })

  test('should know a status that says the same, times aside, from one that does not', () => {
    const stored = withStatus(board, found({ fields: { a: 1, lastAuditTime: 'x' } }))
    expect(saysTheSame(stored, found({ fields: { a: 1, lastAuditTime: 'y' } }, stored, NOW + 5_000))).toBe(true)
    expect(saysTheSame(stored, found({ fields: { a: 2, lastAuditTime: 'y' } }, stored))).toBe(false)
    expect(saysTheSame(board, found({}))).toBe(false)
  })

  test('should keep a message readable', () => {
    expect(found({ pending: 'x'.repeat(5_000) }).conditions[0]?.message).toHaveLength(1_024)
  })
})
