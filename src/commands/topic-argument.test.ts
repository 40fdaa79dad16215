import { describe, expect, test } from '@jest/globals'
import type { KafkaAdmin } from '../kafka/admin.ts'
import { existingPartitions, parseTopicArgument } from './topic-argument.ts'

describe('parseTopicArgument', () => {
  test.each([
    { text: 'orders', want: { topic: 'orders', partitions: 'all' } },
    { text: 'orders:3,0,3', want: { topic: 'orders', partitions: [0, 3] } },
  ])('should read $text', ({ text, want }) => {
    expect(parseTopicArgument(text)).toEqual(want)
  })

  test.each([
    { text: '', message: 'must not be empty' },
    { text: 'or ders', message: 'characters other than' },
    { text: 'orders:', message: 'write partitions as orders:0,1,2' },
    { text: 'orders:-1', message: 'write partitions as orders:0,1,2' },
    { text: 'orders:0:1', message: 'write partitions as orders:0,1,2' },
  ])('should refuse "$text"', ({ text, message }) => {
    expect(() => parseTopicArgument(text)).toThrow(message)
  })
})

describe('existingPartitions', () => {
  const admin = {
    describeTopics: () =>
      Promise.resolve(new Map([['orders', { name: 'orders', id: '', partitions: 2, replicationFactor: 1, underReplicated: 0 }]])),
  } as unknown as KafkaAdmin

  test('should name every partition of a topic', async () => {
    const found = await existingPartitions(admin, [{ topic: 'orders', partitions: 'all' }])
    expect(found).toEqual([
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 1 },
    ])
  })

  test('should refuse what does not exist', async () => {
    await expect(existingPartitions(admin, [{ topic: 'payments', partitions: 'all' }])).rejects.toThrow('topic payments does not exist')
    await expect(existingPartitions(admin, [{ topic: 'orders', partitions: [2] }])).rejects.toThrow(
      'orders has no partition 2; its partitions are 0 to 1',
    )
  })
})
