import { describe, expect, test } from '@jest/globals'
import { KafkaError } from '../kafka/errors.ts'
import type { Change } from './plan.ts'
import { Refusals } from './refusals.ts'

const set = (topic: string, to: string): Change => ({ type: 'setConfig', topic, key: 'retention.ms', from: null, to })
const failure = (change: Change) => ({ change, error: new KafkaError('InvalidConfig', 'refused', { retriable: false }) })
const someRefusals = () => new Refusals({ initialMs: 1_000, maxMs: 4_000 })

describe('refusals', () => {
  test('should hold back what was refused, with its problem, and let the rest through', () => {
    const refusals = someRefusals()
    const problems = refusals.note([set('a', 'x'), set('b', '1')], [failure(set('a', 'x'))], 0)
    expect(problems).toHaveLength(1)
    const sifted = refusals.sift([set('a', 'x'), set('b', '2')], 999)
    expect(sifted.now).toEqual([set('b', '2')])
    expect(sifted.waiting).toEqual(problems)
    expect(refusals.nextAtMs()).toBe(1_000)
    expect(refusals.sift([set('a', 'x')], 1_000).now).toEqual([set('a', 'x')])
  })

  test('should try at once what is asked differently', () => {
    const refusals = someRefusals()
    refusals.note([set('a', 'x')], [failure(set('a', 'x'))], 0)
    expect(refusals.sift([set('a', 'y')], 1).now).toEqual([set('a', 'y')])
  })

  test('should double the wait of the same refusal up to the longest', () => {
    const refusals = someRefusals()
    const waits = [0, 0, 0, 0].map(nowMs => {
      refusals.note([set('a', 'x')], [failure(set('a', 'x'))], nowMs)
      return refusals.nextAtMs()
    })
    expect(waits).toEqual([1_000, 2_000, 4_000, 4_000])
  })

  test('should forget a topic that succeeded or is wanted otherwise no more', () => {
    const refusals = someRefusals()
    refusals.note([set('a', 'x'), set('b', 'x')], [failure(set('a', 'x')), failure(set('b', 'x'))], 0)
    refusals.note([set('a', 'x')], [], 1)
    expect(refusals.sift([set('a', 'x')], 2).now).toEqual([set('a', 'x')])
    expect(refusals.nextAtMs()).toBeUndefined()
  })
})
