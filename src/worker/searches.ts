import type { Clock } from '../api/clock.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { LogReader, LogRecord } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import type { Doorbell } from './doorbell.ts'
import type { Hosted } from './hosted.ts'
import { Restores } from './restores.ts'
import type { Search } from './task.ts'

/** Few at a time: what is due meanwhile is not to wait for them. */
const POLL_RECORDS = 250
const POLL_WAIT_MS = 20
const RETRY_MS = 1000

export interface SearchesOptions {
  readonly open: () => Promise<LogReader>
  readonly bell: Pick<Doorbell, 'ring'>
  readonly clock: Clock
  readonly logger: Logger
  readonly fault: (hosted: Hosted, error: unknown) => void
}

interface Opened {
  readonly reader: LogReader
  readonly passes: Restores
}

/**
 * Reads sources a second time for tasks that ask for it, with a reader of its own: the first one has its positions to keep. It is opened by the first
 * search and stays.
 */
export class Searches {
  readonly #with: SearchesOptions
  readonly #running = new Map<Hosted, Search>()
  #opened: Opened | undefined
  #opening: Promise<Opened> | undefined
  #stopping = false
  #loop: Promise<void> = Promise.resolve()

  constructor(options: SearchesOptions) {
    this.#with = options
  }

  /** Begins what the task asks for, if it does. Cheap. */
  look(hosted: Hosted): void {
    const search = hosted.active ? hosted.task.search : undefined
    if (search === undefined || this.#stopping || this.#running.get(hosted) === search) return
    this.#running.set(hosted, search)
    void this.#run(hosted, search)
  }

  /** The task is given nothing any more. */
  end(hosted: Hosted): void {
    this.#running.delete(hosted)
    this.#opened?.passes.end(hosted)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#opening?.catch(() => undefined)
    for (const hosted of [...this.#running.keys()]) this.end(hosted)
    await this.#loop
    await this.#opened?.reader.close()
  }

  async #run(hosted: Hosted, search: Search): Promise<void> {
    const { bell, clock, logger } = this.#with
    const wanted = (): boolean => hosted.active && this.#running.get(hosted) === search && !this.#stopping
    while (wanted()) {
      try {
        await this.#pass(hosted, search, wanted)
        if (!wanted()) return
        search.ended()
        bell.ring()
        return
      } catch (error) {
        if (!wanted()) return
        logger.warn({ task: hosted.name, error }, 'a search failed and is begun again')
        await clock.sleep(RETRY_MS)
      }
    }
  }

  async #pass(hosted: Hosted, search: Search, wanted: () => boolean): Promise<void> {
    const { partition } = hosted
    const opened = await this.#open()
    const { reader, passes } = opened
    const topics = [...search.from.keys()]
    const answers = await reader.watermarks(topics.map(topic => ({ topic, partition })))
    const ends = new Map<string, number>()
    topics.forEach((topic, index) => {
      const answer = answers[index]
      if (answer instanceof KafkaError) throw answer
      if (answer !== undefined) ends.set(topic, answer.high)
    })
    if (!wanted()) return
    const done = passes.begin(hosted, search.from, ends, records => {
      try {
        search.found(records)
      } catch (error) {
        this.#with.fault(hosted, error)
      }
      this.#with.bell.ring()
    })
    this.#loop = this.#loop.then(() => this.#poll(opened))
    await done
  }

  async #open(): Promise<Opened> {
    this.#opening ??= this.#with.open().then(reader => (this.#opened = { reader, passes: new Restores(reader, this.#with.clock) }))
    try {
      return await this.#opening
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  /** Serves every pass there is. When the client is of no more use, the next pass has a new one. */
  async #poll({ reader, passes }: Opened): Promise<void> {
    try {
      while (passes.busy && !this.#stopping) await this.#read({ reader, passes })
    } catch (error) {
      this.#opening = undefined
      this.#opened = undefined
      passes.failAll(error instanceof Error ? error : new Error(String(error)))
      await reader.close()
    }
  }

  async #read({ reader, passes }: Opened): Promise<void> {
    const batch = await reader.poll(POLL_RECORDS, POLL_WAIT_MS)
    for (const records of byPartition(batch.records)) {
      const [{ topic, partition } = { topic: '', partition: 0 }] = records
      passes.load(topic, partition, records)
    }
    for (const { topic, partition, error } of batch.stopped) passes.fail(topic, partition, error)
    passes.progress()
  }
}

/** Records come in runs of one partition. */
function byPartition(records: readonly LogRecord[]): readonly (readonly LogRecord[])[] {
  const runs: LogRecord[][] = []
  for (const record of records) {
    const run = runs.at(-1)
    if (run?.[0]?.topic === record.topic && run[0].partition === record.partition) run.push(record)
    else runs.push([record])
  }
  return runs
}
