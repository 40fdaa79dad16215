import { RE2JS } from 're2js'
import { parseDuration } from '../../api/duration.ts'
import type { LogHeader } from '../../worker/task.ts'
import type { RuleConfig } from './config.ts'
import type { Failure } from './failure.ts'

/** What the rules say of a failure. */
export type Verdict =
  | {
      readonly action: 'Retry'
      readonly retryAfterMaxMs: number | undefined
      readonly deadLetterTopic: string | undefined
      /** undefined: none matched. */
      readonly rule: number | undefined
    }
  | { readonly action: 'DeadLetter'; readonly deadLetterTopic: string | undefined; readonly rule: number }
  | { readonly action: 'Drop'; readonly rule: number }

const OTHERWISE: Verdict = { action: 'Retry', retryAfterMaxMs: undefined, deadLetterTopic: undefined, rule: undefined }

/** A failure as rules see it. `status`: of an HTTP answer. */
export interface Judged {
  readonly failure: Failure
  readonly headers: readonly LogHeader[]
  readonly status?: number
}

type Test = (judged: Judged) => boolean

/** The first rule that matches decides; without one, a failure is tried again. Patterns are RE2: linear time, whatever the message. */
export class Rules {
  readonly #rules: readonly { readonly matches: Test; readonly verdict: Verdict }[]

  /** @throws Error naming the rule when a pattern is not RE2. */
  constructor(rules: readonly RuleConfig[]) {
    this.#rules = rules.map((rule, index) => ({ matches: matcher(rule.match, index), verdict: verdictOf(rule, index) }))
  }

  judge(judged: Judged): Verdict {
    return this.#rules.find(({ matches }) => matches(judged))?.verdict ?? OTHERWISE
  }
}

function verdictOf({ action, deadLetterTopic, retryAfterMax }: RuleConfig, rule: number): Verdict {
  switch (action) {
    case 'Retry':
      return { action, deadLetterTopic, rule, retryAfterMaxMs: retryAfterMax === undefined ? undefined : parseDuration(retryAfterMax) }
    case 'DeadLetter':
      return { action, deadLetterTopic, rule }
    case 'Drop':
      return { action, rule }
  }
}

function matcher({ status, errorClass, errorPattern, header }: RuleConfig['match'], index: number): Test {
  const tests: Test[] = []
  if (status !== undefined) {
    const ranges = status.map(rangeOf)
    tests.push(judged => ranges.some(([from, to]) => judged.status !== undefined && judged.status >= from && judged.status <= to))
  }
  if (errorClass !== undefined) {
    const classes = new Set(errorClass)
    tests.push(({ failure }) => classes.has(failure.errorClass))
  }
  if (errorPattern !== undefined) {
    const pattern = compiled(errorPattern, index)
    tests.push(({ failure }) => pattern.matcher(failure.message).find())
  }
  if (header !== undefined) {
    const { name, value } = header
    tests.push(({ headers }) => {
      const found = headers.findLast(([other]) => other === name)
      return found !== undefined && (value === undefined || found[1]?.toString() === value)
    })
  }
  return judged => tests.every(matches => matches(judged))
}

function rangeOf(status: string | number): readonly [number, number] {
  const [from, to] = String(status).split('-').map(Number)
  return [from ?? NaN, to ?? from ?? NaN]
}

function compiled(pattern: string, index: number): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`spec.rules[${index}].match.errorPattern: ${reason}`, { cause: error })
  }
}
