import { describe, expect, test } from '@jest/globals'
import { aConnectionView, aTopicIntent } from '../../test/support/fakes/builders.ts'
import { judgeTopics, mayWrite, nameTopics } from './allow-list.ts'

describe('allow-list', () => {
  test.each([
    { allowedTopics: undefined, topic: 'orders', want: true },
    { allowedTopics: undefined, topic: '__consumer_offsets', want: false },
    { allowedTopics: ['shop.*'], topic: 'shop.orders', want: true },
    { allowedTopics: ['shop.*'], topic: 'bank.orders', want: false },
    { allowedTopics: ['*'], topic: '__transaction_state', want: false },
    { allowedTopics: [], topic: 'orders', want: false },
  ])('should answer $want for $topic within $allowedTopics', ({ allowedTopics, topic, want }) => {
    expect(mayWrite(aConnectionView(allowedTopics && { allowedTopics }))(topic)).toBe(want)
  })

  test('should keep what is allowed and say what is not, where and how to go on', () => {
    const intents = ['shop.a', 'bank.a', 'bank.b'].map(name => aTopicIntent({ name }))
    const { allowed, problems } = judgeTopics(intents, aConnectionView({ allowedTopics: ['shop.*'] }))
    expect(allowed.map(({ name }) => name)).toEqual(['shop.a'])
    expect(problems).toEqual([
      {
        severity: 'Stalled',
        reason: 'TopicNotAllowed',
        message:
          'not allowed to write topics "bank.a", "bank.b": add them to spec.allowedTopics of KafkaConnection "main" (now: shop.*) or choose other names',
      },
    ])
  })

  test('should never send Kafka a name that it would refuse', () => {
    const { allowed, problems } = judgeTopics([aTopicIntent({ name: 'a b' })], aConnectionView())
    expect(allowed).toEqual([])
    expect(problems).toMatchObject([{ severity: 'Stalled', reason: 'TopicFailed' }])
  })

  test('should name a few topics and count the others', () => {
    expect(nameTopics(['a'])).toBe('topic "a"')
    expect(nameTopics(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toBe('topics "a", "b", "c", "d", "e" and 2 more')
  })
})
