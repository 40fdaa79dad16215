import { API_VERSION } from '../api/resource.ts'
import type { ResourceRef } from '../api/resource.ts'
import { Refused } from '../console/ports.ts'
import type { Caller, ResourceWriter } from '../console/ports.ts'
import type { ApiRequest, KubernetesClient } from './client.ts'
import { KubernetesError } from './errors.ts'
import { pathOf } from './object.ts'

/** Changes resources with the token of the caller where there is one: the API server then judges, admits and audits him, not the operator. */
export function createResourceWriter(client: KubernetesClient, plurals: ReadonlyMap<string, string>): ResourceWriter {
  const path = (kind: string, namespace: string, name?: string): string =>
    pathOf({ apiVersion: API_VERSION, kind, plural: plurals.get(kind) ?? '' }, namespace, name)
  const send = async ({ token }: Caller, request: ApiRequest): Promise<void> => {
    try {
      await client.send({ ...request, query: { fieldManager: 'sluice-console' }, ...(token !== undefined && { token }) })
    } catch (error) {
      throw refusalOf(error)
    }
  }
  return {
    create: (caller, resource) => send(caller, { method: 'POST', path: path(resource.kind, resource.metadata.namespace), body: resource }),
    suspend: (caller, { kind, namespace, name }: ResourceRef, suspended) =>
      send(caller, {
        method: 'PATCH',
        path: path(kind, namespace, name),
        body: { spec: { suspend: suspended } },
        contentType: 'application/merge-patch+json',
      }),
  }
}

const STATUS = {
  Invalid: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  TooManyRequests: 429,
} as const

/** What the API server says, for the user to read. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof KubernetesError)) return error
  const status: Readonly<Partial<Record<string, Refused['status']>>> = STATUS
  return new Refused(status[error.code] ?? 503, error.message)
}
