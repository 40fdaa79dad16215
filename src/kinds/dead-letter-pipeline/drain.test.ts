import { describe, expect, test } from '@jest/globals'
import { anObservation, aResource, aTopicView } from '../../../test/support/fakes/builders.ts'
import type { PipelineConfig } from './config.ts'
import { plan } from './plan.ts'
import type { DeadLetterPipeline } from './resource.ts'
import { worked } from './task-family.ts'

const SPEC = {
  connectionRef: { name: 'main' },
  source: { topic: 'orders', group: 'billing' },
  delivery: { topic: {} },
  retry: { backoff: { max: '4s' } },
}
const HTTP = { delivery: { http: { url: 'http://billing.example:8080/' } } }
const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z' }

function planned(spec: object, metadata: object = {}) {
  const pipeline = aResource('DeadLetterPipeline', 'pay', { ...SPEC, ...spec }, metadata) as DeadLetterPipeline
  const topics = new Map([['orders', aTopicView({ name: 'orders' })]])
  const { waiting, workers } = plan(pipeline, anObservation({ topics }))
  const config = workers?.config as PipelineConfig
  const resource = { kind: 'DeadLetterPipeline', name: 'pay', config }
  const families = [worked.tasks(resource, 'shop'), ...(worked.moreTasks?.(resource, 'shop') ?? [])]
  return { waiting, inputs: families.map(({ input }) => input) }
}

describe('a pipeline that is deleted', () => {
  test('should finish what was handed to it, and leave to the application what it handed back', () => {
    const { waiting } = planned({})
    expect(waiting?.group).toBe('sluice.shop.pay.dlp')
    expect(waiting?.sources[0]).toEqual({ topic: 'shop.pay.retry', partitions: 3, open: true })
    expect(waiting?.sources.map(({ topic }) => topic)).not.toContain('shop.pay.redelivery')
    expect(waiting?.sources.map(({ topic }) => topic)).not.toContain('orders')
  })

  test('should wait for the application where what it was handed back would be deleted', () => {
    const { waiting } = planned({ deletionPolicy: 'Delete' })
    expect(waiting?.sources.at(-1)).toEqual({ topic: 'shop.pay.redelivery', partitions: 3, readBy: 'billing' })
  })

  test('should make the calls that are still to be made, and read no more of the source', () => {
    expect(planned(HTTP).inputs).toEqual(['shop.pay.retry', 'orders', 'shop.pay.redelivery', 'shop.pay.dlq'])
    const { waiting, inputs } = planned(HTTP, DELETED)
    expect(inputs).toEqual(['shop.pay.retry', 'shop.pay.redelivery'])
    expect(waiting?.group).toBe('billing')
    expect(waiting?.sources.at(-1)).toEqual({ topic: 'shop.pay.redelivery', partitions: 3 })
  })
})
