import type { Clock } from '../api/clock.ts'
import type { Condition, Resource } from '../api/resource.ts'
import type { ReconciledKind } from '../operator/kind.ts'
import type { FileStore } from '../standalone/file-store.ts'
import type { Answer } from './output.ts'

const LOOK_MS = 100

/** Resolves when every resource is ready, stalled or suspended on its current generation, or when the signal aborts. */
export async function settle(store: FileStore, kinds: readonly ReconciledKind[], clock: Clock, signal: AbortSignal): Promise<void> {
  await clock.sleep(LOOK_MS, signal)
  while (!signal.aborted && !resources(store, kinds).every(isSettled)) await clock.sleep(LOOK_MS, signal)
}

/** How every resource stands, and what is wrong with the files. */
export function standing(store: FileStore, kinds: readonly ReconciledKind[]): { readonly answer: Answer; readonly allReady: boolean } {
  const all = resources(store, kinds)
  const rows = all.map(resource => {
    const ready = condition(resource, 'Ready')
    const { namespace, name } = resource.metadata
    return {
      kind: resource.kind,
      namespace,
      name,
      ready: ready?.status ?? 'Unknown',
      reason: ready?.reason ?? '',
      message: ready?.message ?? '',
    }
  })
  const table = {
    columns: ['KIND', 'NAMESPACE', 'NAME', 'READY', 'REASON', 'MESSAGE'].map(heading => ({ heading })),
    rows: rows.map(row => [row.kind, row.namespace, row.name, row.ready, row.reason, row.message]),
  }
  const problems = store.problems()
  return {
    answer: { data: { resources: rows, problems }, text: [rows.length === 0 ? 'no resources' : table, ...problems] },
    allReady: problems.length === 0 && rows.every(row => row.ready === 'True'),
  }
}

const resources = (store: FileStore, kinds: readonly ReconciledKind[]): readonly Resource[] =>
  kinds.flatMap(kind => store.list(kind.definition.kind))

const condition = (resource: Resource, type: string): Condition | undefined =>
  resource.status?.conditions?.find(candidate => candidate.type === type)

function isSettled(resource: Resource): boolean {
  if (resource.status?.observedGeneration !== resource.metadata.generation) return false
  const ready = condition(resource, 'Ready')
  return ready?.status === 'True' || ready?.reason === 'Suspended' || condition(resource, 'Stalled')?.status === 'True'
}
