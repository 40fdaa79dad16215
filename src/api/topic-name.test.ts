import { describe, expect, test } from '@jest/globals'
import { isInternalTopic, topicName, topicNameProblem } from './topic-name.ts'

describe('topic name', () => {
  test.each(['a', 'orders.created', 'A-b_C.9', 'a'.repeat(249)])('should accept %s', name => {
    expect(topicNameProblem(name)).toBeUndefined()
  })

  test.each([
    ['', 'must not be empty'],
    ['.', 'is not a topic name'],
    ['..', 'is not a topic name'],
    ['a'.repeat(250), 'has 250'],
    ['orders/created', 'has characters other than'],
    ['größe', 'has characters other than'],
    ['a\n', 'has characters other than'],
  ])('should say why Kafka would refuse %j', (name, problem) => {
    expect(topicNameProblem(name)).toContain(problem)
  })

  test('should name topics after the resource, or after the prefix of its spec', () => {
    expect(topicName({ namespace: 'shop', name: 'pay' }, undefined, 'in')).toBe('shop.pay.in')
    expect(topicName({ namespace: 'shop', name: 'pay' }, 'delays', 'in')).toBe('delays.in')
  })

  test('should tell internal topics by two underscores', () => {
    expect(['__consumer_offsets', '_schemas', 'a__b'].map(isInternalTopic)).toEqual([true, false, false])
  })
})
