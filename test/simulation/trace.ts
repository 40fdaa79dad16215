import type { Logger } from '../../src/observability/logger.ts'

interface Line {
  readonly atMs: number
  readonly who: string
  readonly what: string
}

/** What happened, to be read when something went wrong. */
export class Trace {
  readonly #now: () => number
  readonly #lines: Line[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  note(who: string, what: string, atMs = this.#now()): void {
    this.#lines.push({ atMs, who, what })
  }

  /** The log of a worker. */
  logger(who: string): Logger {
    const line =
      (level: string) =>
      (fields: object, message: string): void => {
        this.note(who, `${level}: ${message} ${shown(fields)}`)
      }
    const logger: Logger = {
      debug: () => undefined,
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      child: () => logger,
    }
    return logger
  }

  /** The last lines, in order of time. */
  text(most: number): string {
    return this.#lines
      .toSorted((a, b) => a.atMs - b.atMs)
      .slice(-most)
      .map(({ atMs, who, what }) => `${(atMs / 1000).toFixed(4).padStart(10)} ${who.padEnd(12)} ${what}`)
      .join('\n')
  }
}

const shown = (fields: object): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${value instanceof Error ? value.message : JSON.stringify(value)}`)
    .join(' ')
