import { describe, expect, test } from '@jest/globals'
import { Reader, Writer } from '@platformatic/kafka'
import type { Connection } from '@platformatic/kafka'
import { Answers } from './answers.ts'

/** A broker that answers a name behind its throttle time. */
function answering() {
  const now = { name: '', throttleMs: 0 }
  const decoded: string[] = []
  const answers = new Answers(reader => {
    const name = reader.readString()
    decoded.push(name)
    return { name }
  })
  const send: Connection['send'] = (apiKey, apiVersion, _createPayload, parse, _requestTags, _responseTags, callback) => {
    const bytes = Writer.create().appendInt32(now.throttleMs).appendString(now.name).buffer
    callback(null, parse(1, apiKey, apiVersion, Reader.from(bytes)) as Parameters<typeof callback>[1])
  }
  const ask = (question: string, name: string, throttleMs = 0) => {
    Object.assign(now, { name, throttleMs })
    const request = answers.to(question, { api: { key: 3, version: 12 }, createRequest: () => Writer.create() })
    return request.async({ send } as unknown as Connection)
  }
  return { ask, decoded }
}

describe('answers', () => {
  test('should be the same object, not decoded again, while the broker says the same', async () => {
    const { ask, decoded } = answering()
    const first = await ask('q', 'a')
    expect(await ask('q', 'a', 50)).toBe(first)
    expect(decoded).toEqual(['a'])
  })

  test('should be new ones when the broker says something else', async () => {
    const { ask } = answering()
    await ask('q', 'a')
    expect(await ask('q', 'b')).toEqual({ name: 'b' })
    expect(await ask('q', 'a')).toEqual({ name: 'a' })
  })

  test('should be remembered per question, the latest sixty-four', async () => {
    const { ask, decoded } = answering()
    for (let i = 0; i < 65; i++) await ask(`q${i}`, String(i))
    await ask('q1', '1')
    expect(decoded).toHaveLength(65)
    await ask('q0', '0')
    expect(decoded).toHaveLength(66)
  })
})
