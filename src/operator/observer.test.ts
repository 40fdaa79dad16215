import { describe, expect, test } from '@jest/globals'
import { FakeClock } from '../../test/support/fakes/clock.ts'
import { FakeKafka } from '../../test/support/fakes/kafka-admin.ts'
import { KafkaError } from '../kafka/errors.ts'
import { Observer } from './observer.ts'
import type { Interest } from './plan.ts'

function watching(...names: string[]) {
  const kafka = new FakeKafka()
  const clock = new FakeClock()
  for (const name of names) kafka.addTopic(name)
  return { kafka, clock, observer: new Observer(kafka.admin(), { clock, sizesIntervalMs: 300_000 }) }
}
const interest = (pattern: RegExp, configKeys: Interest['configKeys'] = ['retention.ms'], sizes = false): Interest => ({
  topics: name => pattern.test(name),
  configKeys,
  sizes,
})

describe('observer', () => {
  test('should see the topics and the configs that were asked for, never internal topics', async () => {
    const { observer } = watching('a1', 'a2', 'b', '__consumer_offsets')
    const { topics } = await observer.observe('x', interest(/./), 0)
    expect([...topics.keys()]).toEqual(['a1', 'a2', 'b'])
    expect([...topics.get('a1')!.configs.keys()]).toEqual(['retention.ms'])
  })

  test('should ask once for all who look within a cycle', async () => {
    const { observer, kafka } = watching('a', 'b')
    await Promise.all([observer.observe('x', interest(/a|b/), 30_000), observer.observe('y', interest(/b/), 30_000)])
    expect([kafka.count('describeTopics'), kafka.count('describeConfigs')]).toEqual([1, 1])
  })

  test('should fetch only what a newcomer needs beyond what is known', async () => {
    const { observer, kafka } = watching('a', 'b')
    await observer.observe('x', interest(/a/), 30_000)
    const { topics } = await observer.observe('y', interest(/a|b/, ['segment.ms']), 30_000)
    expect([kafka.count('describeTopics'), kafka.count('describeConfigs')]).toEqual([2, 3])
    expect([...topics.get('a')!.configs.keys()].sort()).toEqual(['retention.ms', 'segment.ms'])
    expect([...topics.get('b')!.configs.keys()]).toEqual(['segment.ms'])
  })

  test('should look again, at these topics only, after they were written', async () => {
    const { observer, kafka } = watching('a', 'b')
    await observer.observe('x', interest(/./), 30_000)
    kafka.topics.get('a')!.configs.set('retention.ms', '5')
    observer.written(['a'])
    const { topics } = await observer.observe('x', interest(/./), 30_000)
    expect(topics.get('a')!.configs.get('retention.ms')!.value).toBe('5')
    expect(kafka.count('describeTopics')).toBe(2)
  })

  test('should answer with the same object while nothing has changed', async () => {
    const { observer, kafka } = watching('a', 'b')
    const first = await observer.observe('x', interest(/./), 0)
    const second = await observer.observe('x', interest(/./), -1)
    expect(second).toBe(first)
    kafka.topics.get('a')!.partitions = 9
    const third = await observer.observe('x', interest(/./), -1)
    expect(third).not.toBe(first)
    expect(third.topics.get('b')).toBe(first.topics.get('b'))
  })

  test('should take a topic for absent only after two listings some time apart', async () => {
    const { observer, kafka, clock } = watching('a')
    await observer.observe('x', interest(/./), 0)
    kafka.topics.delete('a')
    for (const passMs of [5_000, 10]) {
      await clock.advance(passMs)
      const { topics, vanishing } = await observer.observe('x', interest(/./), 0)
      expect([topics.has('a'), vanishing.has('a')]).toEqual([false, true])
    }
    await clock.advance(1_000)
    const { topics, vanishing } = await observer.observe('x', interest(/./), 0)
    expect([topics.has('a'), vanishing.has('a')]).toEqual([false, false])
  })

  test('should ask for sizes only where they are wanted, and rarely', async () => {
    const { observer, kafka, clock } = watching('a', 'b')
    kafka.topics.get('a')!.bytesPerPartition = 70
    const wanted = interest(/a/, [], true)
    await observer.observe('y', interest(/b/), 0)
    expect((await observer.observe('x', wanted, 0)).topics.get('a')!.sizeBytes).toBe(70)
    kafka.topics.get('a')!.bytesPerPartition = 80
    await clock.advance(299_000)
    expect((await observer.observe('x', wanted, 0)).topics.get('a')!.sizeBytes).toBe(70)
    await clock.advance(1_000)
    expect((await observer.observe('x', wanted, 0)).topics.get('a')!.sizeBytes).toBe(80)
    expect(kafka.count('logDirSizes')).toBe(2)
  })

  test('should do without sizes where the principal may not see them', async () => {
    const { clock, kafka } = watching('a')
    const refused = () => Promise.reject(new KafkaError('AuthorizationFailed', 'no', { retriable: false }))
    const observer = new Observer({ ...kafka.admin(), logDirSizes: refused }, { clock, sizesIntervalMs: 300_000 })
    const { topics } = await observer.observe('x', interest(/./, [], true), 0)
    expect(topics.get('a')).not.toHaveProperty('sizeBytes')
  })

  test('should look at everything again after a failed cycle', async () => {
    const { observer, kafka } = watching('a')
    kafka.down = 'BrokerUnreachable'
    await expect(observer.observe('x', interest(/./), 30_000)).rejects.toMatchObject({ code: 'BrokerUnreachable' })
    kafka.down = undefined
    expect((await observer.observe('x', interest(/./), 30_000)).topics.has('a')).toBe(true)
  })

  test.each([
    { why: 'by time', ask: { retentionMs: 60_000 }, want: 2 * 400 },
    { why: 'by size', ask: { retentionBytesPerPartition: 900 }, want: 2 * 100 },
    { why: 'the larger of both', ask: { retentionMs: 60_000, retentionBytesPerPartition: 100 }, want: 2 * 900 },
    { why: 'nothing where unlimited', ask: { retentionMs: -1, retentionBytesPerPartition: -1 }, want: 0 },
  ])('should estimate what a lower retention deletes: $why', async ({ ask, want }) => {
    const { observer, kafka, clock } = watching()
    kafka.addTopic('a', {
      partitions: 2,
      bytesPerPartition: 1_000,
      records: 100,
      recordIntervalMs: 1_000,
      lastRecordAt: clock.now() - 1_000,
    })
    await observer.observe('x', interest(/./), 0)
    expect(await observer.estimate([{ topic: 'a', ...ask }])).toEqual(new Map([['a', { bytes: want }]]))
  })
})
