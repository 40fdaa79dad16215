import { expect, test } from '@jest/globals'
import { boardKind } from '../../test/support/fakes/kinds.ts'
import { objectName } from './contracts.ts'

const { definition } = boardKind

test('should name objects after kind and resource', () => {
  expect(objectName(definition, 'pay-timeout')).toBe('bd-pay-timeout')
  expect(objectName(definition, 'x'.repeat(60))).toHaveLength(63)
})

test('should cut long names without letting two become one', () => {
  const [a, b] = ['1', '2'].map(end => objectName(definition, `${'x'.repeat(80)}${end}`))
  expect(a).toMatch(/^bd-x{51}-[0-9a-f]{8}$/)
  expect(a).not.toBe(b)
  expect(objectName(definition, 'a.b')).not.toBe(objectName(definition, 'a-b'))
})
