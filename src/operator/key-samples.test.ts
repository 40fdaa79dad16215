import { describe, expect, test } from '@jest/globals'
import { FakeClock } from '../../test/support/fakes/clock.ts'
import { FakeKafka } from '../../test/support/fakes/kafka-admin.ts'
import { KafkaError } from '../kafka/errors.ts'
import { KeySamples } from './key-samples.ts'
import type { TopicView } from './observed.ts'

const MINUTE_MS = 60_000
const KEYLESS = { records: 9, withoutKey: 9 }
const KEYED = { records: 9, withoutKey: 0 }

function sampling(...names: string[]) {
  const kafka = new FakeKafka()
  const clock = new FakeClock()
  for (const name of names) kafka.addTopic(name, { keys: KEYED })
  const view = (name: string, sizeBytes?: number, id = name): TopicView => ({
    name,
    id,
    partitions: 2,
    replicationFactor: 1,
    underReplicated: 0,
    configs: new Map(),
    ...(sizeBytes !== undefined && { sizeBytes }),
  })
  return { kafka, clock, view, samples: new KeySamples(kafka.admin(), clock) }
}

describe('samples of keys', () => {
  test('should read a topic once, also for several who ask at a time', async () => {
    const { samples, view, kafka } = sampling('a', 'b')
    const answers = await Promise.all([samples.of([view('a', 5)]), samples.of([view('a', 5), view('b', 5)])])
    expect(answers.map(answer => [...answer.keys()])).toEqual([['a'], ['a', 'b']])
    await samples.of([view('a', 6), view('b', 5)])
    expect(kafka.count('sampleKeys')).toBe(2)
  })

  test.each([
    { given: 'a sound topic within the hour', keys: KEYED, sizeBytes: 6, minutes: 59, again: false },
    { given: 'a sound topic after an hour', keys: KEYED, sizeBytes: 6, minutes: 60, again: true },
    { given: 'a sound topic of the same size', keys: KEYED, sizeBytes: 5, minutes: 600, again: false },
    { given: 'a topic without keys after five minutes', keys: KEYLESS, sizeBytes: 6, minutes: 5, again: true },
    { given: 'a topic without keys of the same size', keys: KEYLESS, sizeBytes: 5, minutes: 600, again: false },
    { given: 'a topic of which nothing could be told', keys: undefined, sizeBytes: 5, minutes: 60, again: true },
    { given: 'a topic of unknown size', keys: KEYED, sizeBytes: undefined, minutes: 60, again: true },
  ])('should look again at $given: $again', async ({ keys, sizeBytes, minutes, again }) => {
    const { samples, view, kafka, clock } = sampling()
    kafka.addTopic('a', keys === undefined ? {} : { keys })
    await samples.of([view('a', 5)])
    await clock.advance(minutes * MINUTE_MS)
    const answer = await samples.of([view('a', sizeBytes)])
    expect(answer.get('a')).toEqual(keys)
    expect(kafka.count('sampleKeys')).toBe(again ? 2 : 1)
  })

  test('should look again at a topic that was deleted and made again', async () => {
    const { samples, view, kafka } = sampling('a')
    await samples.of([view('a', 5)])
    kafka.topics.get('a')!.keys = KEYLESS
    expect((await samples.of([view('a', 5, 'another')])).get('a')).toEqual(KEYLESS)
  })

  test('should get to know thousands of topics over some looks', async () => {
    const names = Array.from({ length: 450 }, (_, i) => `t${i}`)
    const { samples, view } = sampling(...names)
    const known = []
    for (let look = 0; look < 4; look++) known.push((await samples.of(names.map(name => view(name, 5)))).size)
    expect(known).toEqual([200, 400, 450, 450])
  })

  test('should answer what is known while the brokers are away, and ask again when they are back', async () => {
    const { samples, view, kafka } = sampling('a', 'b')
    await samples.of([view('a', 5)])
    kafka.down = 'BrokerUnreachable'
    expect([...(await samples.of([view('a', 5), view('b', 5)])).keys()]).toEqual(['a'])
    kafka.down = undefined
    expect([...(await samples.of([view('b', 5)])).keys()]).toEqual(['b'])
  })

  test('should not ask again and again for what it may not read', async () => {
    const { view, kafka, clock } = sampling('a')
    const refused = new KafkaError('AuthorizationFailed', 'no', { retriable: false })
    let asked = 0
    const admin = { ...kafka.admin(), sampleKeys: () => Promise.reject(((asked += 1), refused)) }
    const samples = new KeySamples(admin, clock)
    for (let look = 0; look < 3; look++) expect((await samples.of([view('a', 5)])).size).toBe(0)
    expect(asked).toBe(1)
  })
})
