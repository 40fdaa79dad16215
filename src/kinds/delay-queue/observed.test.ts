import { expect, test } from '@jest/globals'
import { METRIC } from './metrics.ts'
import { gauges } from './observed.ts'
import type { TaskView } from './observed.ts'
import { Source } from './source.ts'

const NOW = 1_700_000_000_000
const MINUTE_S = 60
const HOUR_MS = 3_600_000
const KEPT_S = 8 * 86_400

const aSource = (type: Source['type'], delayMs: number, unread: number, readAgoMs: number): Source =>
  Object.assign(new Source(`q.${type}`, type, delayMs, HOUR_MS), { unread, readToMs: NOW - readAgoMs })

const seen = (view: Partial<TaskView>, metric: string, horizon?: string): number | undefined =>
  gauges({ now: NOW, sources: [], near: 0, overdue: 0, firstDueMs: Infinity, firstBadMs: Infinity, ...view }, METRIC, {
    queue: 'shop/q',
    partition: '0',
  }).find(each => each.metric === metric && each.labels?.horizon === horizon)?.value

test.each<{ why: string; view: Partial<TaskView>; wantS: number }>([
  { why: 'nothing waits', view: {}, wantS: KEPT_S },
  { why: 'all is read', view: { sources: [aSource('input', 0, 0, HOUR_MS)] }, wantS: KEPT_S },
  { why: 'the input is unread for an hour', view: { sources: [aSource('input', 0, 5, HOUR_MS)] }, wantS: KEPT_S - 60 * MINUTE_S },
  { why: 'a fixed delay is read no further than it must', view: { sources: [aSource('fixed', HOUR_MS, 5, HOUR_MS / 2)] }, wantS: KEPT_S },
  { why: 'a message is not delivered for two hours', view: { firstDueMs: NOW - 2 * HOUR_MS }, wantS: KEPT_S - 121 * MINUTE_S - 4 },
  { why: 'a dead letter cannot be written for an hour', view: { firstBadMs: NOW - HOUR_MS }, wantS: KEPT_S - 60 * MINUTE_S },
])('should tell when retention deletes what is not done: $why', ({ view, wantS }) => {
  expect(seen(view, METRIC.timeToLoss)).toBe(wantS)
})

test('should count what is unread of the input, and of all fixed delays as waiting', () => {
  const sources = [aSource('input', 0, 7, 0), aSource('fixed', HOUR_MS, 20, 0), aSource('fixed', 2 * HOUR_MS, 3, 0)]
  expect(seen({ sources }, METRIC.unread)).toBe(7)
  expect(seen({ sources }, METRIC.pending, 'fixed')).toBe(23)
})
