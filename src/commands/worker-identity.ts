import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Which of all workers this process is. */
export interface Identity {
  /** No other process has or had it. */
  readonly instanceId: string
  /** What the ids of its earlier lives begin with, when the last one did not end in order. */
  readonly lineage?: string
  /** This life ends in order. */
  readonly ended: () => void
}

/**
 * @param name what no two living workers have, and what a worker keeps when it is started anew: the name of its pod, or of its place among child processes.
 * Without it this process is one of any number on its host, and succeeds nobody.
 *
 * A file tells a life that was cut off from one that ended in order. The temporary folder of a pod outlives its containers.
 */
export function identity(name: string | undefined, folder: string = tmpdir()): Identity {
  const life = randomBytes(4).toString('hex')
  if (name === undefined || name === '') return { instanceId: `${hostname()}-${life}`, ended: () => undefined }
  const mark = join(folder, `sluice-worker-${encodeURIComponent(name)}.alive`)
  const cutOff = existsSync(mark)
  quietly(() => {
    writeFileSync(mark, '')
  })
  return {
    instanceId: `${name}_${life}`,
    ...(cutOff && { lineage: `${name}_` }),
    ended: () => {
      quietly(() => {
        rmSync(mark, { force: true })
      })
    },
  }
}

/** Without the file the next life waits for the session timeout of this one: no reason not to work. */
function quietly(action: () => void): void {
  try {
    action()
  } catch {
    // A read-only or full folder.
  }
}
