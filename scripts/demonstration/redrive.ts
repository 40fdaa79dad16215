import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Arrivals } from './arrivals.ts'
import { RETRY_DEAD_LETTERS } from './retries.ts'
import type { FlakyApplication } from './retries.ts'
import type { Story } from './story.ts'
import { eventually } from './story.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 20_000
const BROKEN = { name: 'broken' }
const REDRIVE = ['dlq', 'redrive', 'default/billing', '--class', 'TypeError', '--execute']

/** The application is mended; what died of its defect is delivered again, and what died of something else stays. */
export async function showRedrive(story: Story, application: FlakyApplication, arrivals: Arrivals, bootstrap: string): Promise<void> {
  const { seen, valueOf } = application
  const before = seen.get(valueOf(BROKEN))?.length ?? 0
  const total = [...seen.values()].flat().length
  application.mend()
  story.say('The defect behind the TypeError is mended. Its dead letters, and no others, are delivered again:')
  story.say(`$ bin/sluice ${REDRIVE.join(' ')}`)
  const { stdout } = await promisify(execFile)('bin/sluice', [...REDRIVE, '--bootstrap', bootstrap], { cwd: ROOT })
  story.say(stdout.trim().replace(/^/gm, '| '))
  const delivered = (): number => seen.get(valueOf(BROKEN))?.length ?? 0
  await eventually(() => delivered() > before, LIMIT_MS)
  story.check(
    'the mended application handled the order that was a dead letter',
    delivered() === before + 1,
    `${delivered() - before} deliveries`,
  )
  const others = [...seen.values()].flat().length - total - 1
  story.check('no other order was delivered again', others === 0, `${others} deliveries`)
  const letters = arrivals.of(valueOf(BROKEN)).length
  story.check(`nothing died again: ${RETRY_DEAD_LETTERS} has it once, marked as handled`, letters === 1, `${letters} times`)
}
