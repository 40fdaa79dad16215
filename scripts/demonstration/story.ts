import { performance } from 'node:perf_hooks'

const startedMs = performance.now()
const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined
const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)

/** Tells the story on standard output and remembers what was right and what was not. */
export class Story {
  readonly #chapters: number
  #chapter = 0
  #passed = 0
  readonly #failed: string[] = []

  constructor(title: string, chapters: number) {
    this.#chapters = chapters
    process.stdout.write(`\n${paint(1, title)}\n${'='.repeat(title.length)}\n`)
  }

  chapter(title: string): void {
    this.#chapter += 1
    process.stdout.write(`\n${paint(1, `[${this.#chapter}/${this.#chapters}] ${title}`)}\n`)
  }

  /** Text of any number of lines, set in. */
  say(text: string): void {
    process.stdout.write(`${text.replace(/^(?=.)/gm, '      ')}\n`)
  }

  /** Says what was found, and whether it is as it should be. */
  check(claim: string, right: boolean, detail = ''): void {
    const verdict = right ? paint(32, 'ok  ') : paint(31, 'FAIL')
    process.stdout.write(`  ${verdict} ${claim}${right || detail === '' ? '' : `\n       ${detail}`}\n`)
    if (right) this.#passed += 1
    else this.#failed.push(claim)
  }

  /** The last words; answers whether all was right. */
  end(): boolean {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    const all = this.#failed.length === 0
    const verdict = all
      ? paint(32, `All ${this.#passed} checks passed`)
      : paint(31, `${this.#failed.length} of ${this.#passed + this.#failed.length} checks failed`)
    process.stdout.write(`\n${verdict} in ${seconds} s.\n`)
    if (all) process.stdout.write('Next: `make test` proves the rest; README.md shows how to install Sluice on a cluster.\n')
    return all
  }
}

/** Waits for a condition, at most `limitMs`; answers whether it came true. */
export async function eventually(condition: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > deadlineMs) return false
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return true
}

/** `12:01:03.250` */
export const clockTime = (ms: number): string => new Date(ms).toISOString().slice(11, 23)
