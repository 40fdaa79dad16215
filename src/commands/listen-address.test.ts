import { describe, expect, test } from '@jest/globals'
import { parseListenAddress } from './listen-address.ts'

describe('parseListenAddress', () => {
  test.each([
    { text: '127.0.0.1:0', want: { host: '127.0.0.1', port: 0 } },
    { text: ':8080', want: { host: '::', port: 8080 } },
    { text: '[::1]:9', want: { host: '::1', port: 9 } },
  ])('should read $text', ({ text, want }) => {
    expect(parseListenAddress(text)).toEqual(want)
  })

  test.each(['8080', 'localhost', 'localhost:70000', ''])('should refuse "%s"', text => {
    expect(() => parseListenAddress(text)).toThrow('is not HOST:PORT')
  })
})
