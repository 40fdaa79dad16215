import type { KubernetesClient } from './client.ts'
import { KubernetesError, hasCode } from './errors.ts'
import { pathOf, type Collection, type KubernetesObject } from './object.ts'

/** Which objects of a collection: one namespace or all, optionally only those with a label. */
export interface Scope {
  readonly collection: Collection
  readonly namespace?: string
  readonly labelSelector?: string
}

export interface Listing {
  readonly items: readonly KubernetesObject[]
  readonly version: string
}

export type WatchEvent =
  | { readonly type: 'changed' | 'deleted'; readonly object: KubernetesObject; readonly version: string }
  | { readonly type: 'bookmark'; readonly version: string }

/** Objects per page: a listing of everything at once would make API server and operator hold it whole, several times over. */
const PAGE_SIZE = 500

/** Reads the whole collection in pages, as of one version. */
export async function listAll(client: KubernetesClient, scope: Scope, signal: AbortSignal): Promise<Listing> {
  try {
    return await listPages(client, scope, signal)
  } catch (error) {
    // The continue token outlived its snapshot: the pages read so far do not fit to the rest.
    if (!hasCode(error, 'Gone')) throw error
    return listPages(client, scope, signal)
  }
}

async function listPages(client: KubernetesClient, scope: Scope, signal: AbortSignal): Promise<Listing> {
  const items: KubernetesObject[] = []
  let next: string | undefined
  for (;;) {
    const query = { limit: PAGE_SIZE, continue: next, labelSelector: scope.labelSelector }
    const page = (await client.send({ method: 'GET', path: pathOf(scope.collection, scope.namespace), query, signal })) as Page
    items.push(...(page.items ?? []).map(item => ({ ...item, apiVersion: scope.collection.apiVersion, kind: scope.collection.kind })))
    next = page.metadata.continue === '' ? undefined : page.metadata.continue
    if (next === undefined) return { items, version: page.metadata.resourceVersion }
  }
}
interface Page {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items?: readonly KubernetesObject[]
}

/**
 * Streams what happens after `version` until the server closes the watch, after at most `timeoutSeconds`.
 * @throws KubernetesError `Gone` when the version is too old, `Unexpected` when a line cannot be read: both ask for a new listing.
 */
export async function* watch(
  client: KubernetesClient,
  scope: Scope,
  version: string,
  timeoutSeconds: number,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent, void> {
  const path = pathOf(scope.collection, scope.namespace)
  const query = { watch: true, allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds, labelSelector: scope.labelSelector }
  for await (const line of client.lines(path, query, signal)) yield parseEvent(path, line)
}

function parseEvent(path: string, line: string): WatchEvent {
  const event = parseLine(path, line)
  const version = event.object.metadata?.resourceVersion ?? ''
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'changed', object: event.object as KubernetesObject, version }
    case 'DELETED':
      return { type: 'deleted', object: event.object as KubernetesObject, version }
    case 'BOOKMARK':
      return { type: 'bookmark', version }
    case 'ERROR':
      throw new KubernetesError(
        event.object.code === 410 ? 'Gone' : 'Unavailable',
        `watch ${path}: ${event.object.message ?? 'error event'}`,
      )
    default:
      throw new KubernetesError('Unexpected', `watch ${path}: event of unknown type "${event.type.slice(0, 40)}"`)
  }
}

interface WireEvent {
  readonly type: string
  readonly object: Partial<KubernetesObject> & { readonly code?: number; readonly message?: string }
}
function parseLine(path: string, line: string): WireEvent {
  try {
    return JSON.parse(line) as WireEvent
  } catch (cause) {
    throw new KubernetesError('Unexpected', `watch ${path}: an event of ${line.length} characters is not JSON`, { cause })
  }
}
