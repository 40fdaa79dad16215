import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { parseDuration } from '../../api/duration.ts'
import { formatSize } from '../../api/size.ts'
import { EXAMPLE_LOAD, costOf, estimateOf, subjectOf } from './cost.ts'
import type { Cost, Load } from './cost.ts'
import type { DelayQueue } from './resource.ts'
import { topicConfigs } from './topics.ts'

const aQueue = (maxDelay: string, more: Partial<DelayQueue['spec']> = {}): DelayQueue => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DelayQueue',
  metadata: { namespace: 'shop', name: 'pay', generation: 1 },
  spec: { connectionRef: { name: 'main' }, target: { topic: 'due' }, maxDelay, ...more },
})

/** With steps of another ratio than the ladder has. */
function cost(maxDelay: string, ratio = 2, load: Load = EXAMPLE_LOAD): Cost {
  const queue = aQueue(maxDelay)
  const subject = subjectOf(queue, [])
  const tiers: { topic: string; delayMs: number }[] = []
  for (let delayMs = 8_000; delayMs <= parseDuration(maxDelay); delayMs *= ratio) tiers.push({ topic: `tier.${delayMs}`, delayMs })
  const topics = { ...subject.topics, tiers }
  return costOf({ ...subject, topics, configs: topicConfigs(queue, topics) }, load)
}

const size = (bytes: number): string => formatSize(Math.round(bytes))

describe('the cost of a queue', () => {
  test.each([
    { maxDelay: '1m', tiers: 3, topics: 7, most: 0, writes: 2 },
    { maxDelay: '1h', tiers: 9, topics: 13, most: 6, writes: 4.8 },
    { maxDelay: '24h', tiers: 14, topics: 18, most: 10, writes: 7 },
    { maxDelay: '30d', tiers: 19, topics: 23, most: 14, writes: 9.5 },
  ])('should count topics and writes up to $maxDelay', ({ maxDelay, tiers, topics, most, writes }) => {
    const found = cost(maxDelay)
    expect(found).toMatchObject({ tiers, topics, partitions: topics * 6, hops: { most } })
    expect(found.writes).toBeCloseTo(writes, 1)
  })

  test('should grow with the load: bytes and memory in proportion, writes not at all', () => {
    const [one, ten] = [cost('24h', 2, { messagesPerSecond: 100, messageBytes: 1_024 }), cost('24h')]
    expect(ten.writes).toBe(one.writes)
    expect(ten.nearBytes / one.nearBytes).toBeCloseTo(10)
    expect(ten.waitingBytes / one.waitingBytes).toBeCloseTo(10)
    expect(ten.diskBytes / one.diskBytes).toBeCloseTo(10, 0)
  })

  test('should keep what waits at least as long as it waits: on average half of the longest delay', () => {
    const { waitingBytes } = cost('24h')
    const [evenly, overhead] = [1_000 * 1_024 * 43_200, 1.1]
    expect(waitingBytes).toBeGreaterThan(evenly * 0.99)
    expect(waitingBytes).toBeLessThan(evenly * overhead)
  })

  test('should be told for a queue as planned, fixed delays and topics that left the spec included', () => {
    const queue = aQueue('1h', { tiers: ['5m'], partitions: 3 })
    const left = { name: 'shop.pay.tier.8192s', configs: {}, owned: true, create: { partitions: 3, replicationFactor: 1 } }
    const { data, lines } = estimateOf(subjectOf(queue, [left]))
    expect(data).toMatchObject({ tiers: 10, topics: 15, partitions: 45, assumed: EXAMPLE_LOAD })
    expect(lines[0]).toBe(
      '15 topics with 45 partitions, 10 of them tiers; a message is written 4.8 times (8 at most), 5.2 bytes for each of its bytes',
    )
    expect(lines[1]).toContain('for every 1000 messages/s of 1Ki')
  })

  test.each(['1h', '24h', '30d'].flatMap(maxDelay => [2, 4, 8].map(ratio => ({ maxDelay, ratio }))))(
    'should stand in the documentation as computed: $maxDelay, ratio $ratio',
    ({ maxDelay, ratio }) => {
      const found = cost(maxDelay, ratio)
      const figures = [
        maxDelay,
        ratio,
        found.tiers,
        found.topics,
        found.partitions,
        `${found.hops.mean.toFixed(1)} / ${found.hops.most}`,
        found.writes.toFixed(1),
        found.bytesPerByte.toFixed(1),
        size(found.diskBytes),
        size(found.waitingBytes),
        size(found.nearBytes),
      ]
      expect(readFileSync('docs/cost.md', 'utf8')).toContain(`| ${figures.join(' | ')} |`)
    },
  )
})
