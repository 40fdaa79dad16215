import type { FSWatcher } from 'node:fs'
import { watch } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../api/clock.ts'

/** A file as last read. The same object is answered as long as the file has not changed. */
export interface FileText {
  readonly file: string
  readonly text: string
}

/** A slow look at everything, since file notifications are lost on some file systems. */
const POLL_MS = 2_000
/** Editors write in several steps. */
const SETTLE_MS = 100
const MANIFEST = /\.(ya?ml|json)$/

/** The manifests of a folder and the folders below it (those with a leading dot excluded), or one file. */
export class Folder {
  readonly path: string
  #known = new Map<string, FileText & { readonly mark: string }>()

  constructor(path: string) {
    this.path = path
  }

  /** Reads what changed; in name order. Rejects when the folder cannot be read: an absent folder is not an empty one. */
  async scan(): Promise<readonly FileText[]> {
    const files = await manifestsBelow(this.path)
    const read = await Promise.all(files.map(file => this.#read(file)))
    const present = read.filter(entry => entry !== undefined)
    this.#known = new Map(present.map(entry => [entry.file, entry]))
    return present
  }

  /** Calls `look` after changes, and now and then without one, until the signal aborts. One call at a time. */
  async follow(clock: Clock, signal: AbortSignal, look: () => Promise<void>): Promise<void> {
    let wake = new AbortController()
    const watcher = watchTree(this.path, () => {
      wake.abort()
    })
    try {
      while (!signal.aborted) {
        await clock.sleep(POLL_MS, AbortSignal.any([signal, wake.signal]))
        if (wake.signal.aborted) await clock.sleep(SETTLE_MS, signal)
        wake = new AbortController()
        if (!isAborted(signal)) await look()
      }
    } finally {
      watcher?.close()
    }
  }

  async #read(file: string): Promise<(FileText & { readonly mark: string }) | undefined> {
    try {
      const { mtimeMs, size, ino } = await stat(file)
      const mark = `${mtimeMs} ${size} ${ino}`
      const known = this.#known.get(file)
      return known?.mark === mark ? known : { file, text: await readFile(file, 'utf8'), mark }
    } catch (error) {
      // Gone between the listing and the reading.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}

/** Aborting happens elsewhere while we wait: the compiler must not conclude from an earlier look. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted

async function manifestsBelow(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  const entries = await readdir(path, { withFileTypes: true })
  const visible = entries.filter(entry => !entry.name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1))
  const nested = visible.map(async entry => {
    if (entry.isDirectory()) return manifestsBelow(join(path, entry.name))
    return MANIFEST.test(entry.name) ? [join(path, entry.name)] : []
  })
  return (await Promise.all(nested)).flat()
}

/** undefined: this file system cannot tell of changes, and the slow look has to do. */
function watchTree(path: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { recursive: true }, changed)
    watcher.on('error', () => {
      watcher.close()
    })
    return watcher
  } catch {
    return undefined
  }
}
