import { describe, expect, test } from '@jest/globals'
import { KafkaError } from '../errors.ts'
import { noneUsable } from './errors.ts'

const refused = (server: string): KafkaError =>
  new KafkaError('BrokerUnreachable', `${server}: the broker does not answer`, { retriable: true })

describe('servers of which none can be used', () => {
  test('should be told each, and a broker that was met twice once', () => {
    const error = noneUsable([refused('a:9092'), refused('b:9092'), refused('a:9092')])
    expect(error.message).toBe('a:9092: the broker does not answer; b:9092: the broker does not answer')
  })

  test('should blame a host name only when none resolves', () => {
    const unknown = new KafkaError('UnknownHost', 'c:9092: the host name does not resolve', { retriable: true })
    expect(noneUsable([unknown, refused('a:9092')]).code).toBe('BrokerUnreachable')
    expect(noneUsable([unknown]).code).toBe('UnknownHost')
  })
})
