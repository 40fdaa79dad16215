import type { EpochMs } from '../api/resource.ts'
import type { Hosted } from './hosted.ts'
import type { OwnedTask, TaskFamily } from './task.ts'

/** The questions that the kinds of a worker answer, by path. */
export const questionsOf = (families: readonly TaskFamily[]): readonly string[] => [
  ...new Set(families.flatMap(({ queries }) => Object.keys(queries ?? {}))),
]

/**
 * What the tasks of this worker know, one answer per resource: `?resource=<namespace>/<name>` asks one of several, `?partition=` one task.
 * Partitions that are being restored are left out: they do not know yet what they hold.
 */
export function answersOf(
  question: string,
  families: readonly TaskFamily[],
  hosted: readonly Hosted[],
  parameters: URLSearchParams,
  now: EpochMs,
): readonly object[] {
  const [wanted, partition] = [parameters.get('resource'), parameters.get('partition')]
  return families.flatMap(family => {
    const answer = family.queries?.[question]
    const { kind, namespace, name } = family.resource
    if (answer === undefined || (wanted !== null && wanted !== `${namespace}/${name}`)) return []
    const owned = hosted.filter(task => task.family === family && (partition === null || String(task.partition) === partition))
    const running = owned
      .filter(({ state }) => state === 'running')
      .map((task): OwnedTask => ({ partition: task.partition, task: task.task }))
    return [{ kind, namespace, name, partitions: running.map(task => task.partition), ...answer(running, parameters, now) }]
  })
}
