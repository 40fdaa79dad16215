import { expect, test } from '@jest/globals'
import { aTopicView, anObservation } from '../../../test/support/fakes/builders.ts'
import { plan } from './plan.ts'
import type { DeadLetterPipeline } from './resource.ts'

const pipeline: DeadLetterPipeline = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name: 'billing', namespace: 'shop' },
  spec: {
    connectionRef: { name: 'main' },
    source: { topic: 'orders', group: 'billing' },
    delivery: { topic: {} },
    rules: [{ match: { errorClass: ['Fraud'] }, action: 'DeadLetter', deadLetterTopic: 'fraud' }],
  },
}

test('should keep the books in as many partitions as the widest dead letter topic has', () => {
  const wide = aTopicView({ name: 'fraud', partitions: 12 })
  const { topics } = plan(pipeline, anObservation({ topics: new Map([['fraud', wide]]) }))
  const books = topics.filter(({ name }) => /handled|audit/.test(name))
  expect(books.map(({ partitions, create }) => [partitions, create?.partitions])).toEqual([[12, 12], [12, 12]]) // prettier-ignore
})
