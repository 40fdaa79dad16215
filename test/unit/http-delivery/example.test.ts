import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { validateFiles } from '../../../src/commands/validate.ts'

test('should have an example that is valid', () => {
  const file = 'examples/http-delivery/shipping.yaml'
  expect(validateFiles([{ file, text: readFileSync(file, 'utf8') }])).toMatchObject({ resources: 2, findings: [] })
})
