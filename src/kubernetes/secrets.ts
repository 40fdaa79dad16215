import type { SecretReader } from '../operator/ports.ts'
import type { KubernetesClient } from './client.ts'
import { hasCode } from './errors.ts'
import { pathOf, SECRETS } from './object.ts'

/** Reads Secrets one by one, by name: the operator has no permission to list them and keeps none in a cache. */
export const createSecretReader = (client: KubernetesClient): SecretReader => ({
  async read(namespace, name) {
    try {
      const secret = (await client.send({ method: 'GET', path: pathOf(SECRETS, namespace, name) })) as {
        readonly data?: Record<string, string>
      }
      return new Map(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
    } catch (error) {
      if (hasCode(error, 'NotFound')) return undefined
      throw error
    }
  },
})
