import { describe, expect, test } from '@jest/globals'
import type { Change } from './plan.ts'
import { Sent } from './sent.ts'

const change = (from: string, to = '2'): Change => ({ type: 'setConfig', topic: 'orders', key: 'retention.ms', from, to })

describe('what was sent', () => {
  test('should not be sent again while it is awaited to show', () => {
    const sent = new Sent()
    sent.note([change('1')], 0)
    expect(sent.sift([change('1')], 9_999)).toEqual({ toSend: [], awaited: [change('1')] })
  })

  test('should be sent again when it has not shown in time', () => {
    const sent = new Sent()
    sent.note([change('1')], 0)
    expect(sent.sift([change('1')], 10_000)).toEqual({ toSend: [change('1')], awaited: [] })
  })

  test('should not hold back the reversal of another change by hand', () => {
    const sent = new Sent()
    sent.note([change('1')], 0)
    expect(sent.sift([change('7'), change('1', '3')], 1)).toEqual({ toSend: [change('7'), change('1', '3')], awaited: [] })
  })
})
