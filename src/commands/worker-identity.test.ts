import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { identity } from './worker-identity.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-identity-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

test('should succeed an earlier life of the same name that was cut off', () => {
  const first = identity('shop/pod-1', folder)
  const second = identity('shop/pod-1', folder)
  expect(first.lineage).toBeUndefined()
  expect(second.lineage).toBe('shop/pod-1_')
  expect(first.instanceId.startsWith(second.lineage ?? 'none')).toBe(true)
  expect(second.instanceId).not.toBe(first.instanceId)
})

test('should succeed nobody after an end in order', () => {
  identity('pod-1', folder).ended()
  expect(identity('pod-1', folder).lineage).toBeUndefined()
})

test('should not take one for another whose name begins alike', () => {
  const other = identity('pod-1-2', folder)
  identity('pod-1', folder)
  expect(other.instanceId.startsWith(identity('pod-1', folder).lineage ?? 'none')).toBe(false)
})

test('should succeed nobody without a name, however often it starts', () => {
  identity(undefined, folder)
  expect(identity('', folder).lineage).toBeUndefined()
})

test('should work where nothing can be written', () => {
  const nowhere = join(folder, 'missing')
  identity('pod-1', nowhere).ended()
  expect(identity('pod-1', nowhere).lineage).toBeUndefined()
})
