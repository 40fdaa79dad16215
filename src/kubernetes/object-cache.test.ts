import { describe, expect, test } from '@jest/globals'
import type { KubernetesObject } from './object.ts'
import { ObjectCache } from './object-cache.ts'

const object = (name: string, resourceVersion: string, uid = `uid-of-${name}`): KubernetesObject => ({
  metadata: { namespace: 'shop', name, uid, resourceVersion },
})

describe('the cache of a collection', () => {
  test('should keep the newest version, whatever order they come in', () => {
    const cache = new ObjectCache()
    expect(cache.put(object('a', '99'))).toBe(true)
    expect(cache.put(object('a', '100'))).toBe(true)
    expect(cache.put(object('a', '99'))).toBe(false)
    expect(cache.put(object('a', '100'))).toBe(false)
    expect(cache.get('shop/a')?.metadata.resourceVersion).toBe('100')
  })

  test('should not let the late answer to a write bring a deleted object back', () => {
    const cache = new ObjectCache()
    cache.put(object('a', '1'))
    expect(cache.remove(object('a', '2'))).toBe(true)
    expect(cache.put(object('a', '1'))).toBe(false)
    expect(cache.list()).toEqual([])
  })

  test('should keep a namesake that was made after the deletion', () => {
    const cache = new ObjectCache()
    cache.put(object('a', '1', 'first'))
    cache.put(object('a', '3', 'second'))
    expect(cache.remove(object('a', '2', 'first'))).toBe(false)
    expect(cache.get('shop/a')?.metadata.uid).toBe('second')
  })

  test('should list by namespace and name, and hold no managed fields', () => {
    const cache = new ObjectCache()
    const noisy = { ...object('b', '1'), metadata: { ...object('b', '1').metadata, managedFields: [{ manager: 'kubectl' }] } }
    cache.put(noisy)
    cache.put(object('a', '2'))
    expect(cache.list().map(each => each.metadata.name)).toEqual(['a', 'b'])
    expect(cache.get('shop/b')?.metadata).not.toHaveProperty('managedFields')
  })
})
