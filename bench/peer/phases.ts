import { setTimeout as pause } from 'node:timers/promises'
import { Arrivals } from '../measure/arrivals.ts'
import type { Audit } from '../measure/arrivals.ts'
import { latenessOf } from '../measure/lateness.ts'
import type { Lateness } from '../measure/lateness.ts'
import { runLoad } from '../measure/load.ts'
import { cpuMsOf, peakRssOf, rssOf } from '../measure/process.ts'
import { PARTITIONS, takenIn } from './contenders.ts'
import type { Contender } from './contenders.ts'

const DELAYS_MS = [1_000, 10_000] as const
const HOUR_MS = 3_600_000
const GIVE_UP_MS = 60_000
/** For compactions and collections after an intake. */
const REST_MS = 5_000

export interface Steady {
  readonly perSecond: number
  readonly lateness: Lateness
  /** With the first seconds, in which a new process compiles its code. */
  readonly latenessFromStart: Lateness
  /** Of one core. */
  readonly cpuShare: number
  readonly rssBytes: number
  readonly audits: readonly Audit[]
}

/** Messages of 1 KiB at a steady rate with delays of 1 to 10 s. */
export async function steady(
  bootstrap: string,
  contender: Contender,
  perSecond: number,
  { seconds, warmUpSeconds }: { readonly seconds: number; readonly warmUpSeconds: number },
): Promise<Steady> {
  return whileReading(bootstrap, contender, async arrivals => {
    const all = warmUpSeconds + seconds
    arrivals.begin(perSecond * all)
    const pid = contender.pid()
    const before = { cpuMs: await cpuMsOf(pid), atMs: performance.now() }
    const load = runLoad('delayed-messages', [bootstrap, contender.input, PARTITIONS, perSecond, all, ...DELAYS_MS])
    await arrivals.read(all * 1_000 + DELAYS_MS[1] + GIVE_UP_MS)
    const cpuShare = ((await cpuMsOf(pid)) - before.cpuMs) / (performance.now() - before.atMs)
    await load
    const latenessMs = arrivals.latenessMs()
    return {
      perSecond,
      lateness: latenessOf(latenessMs.subarray(perSecond * warmUpSeconds)),
      latenessFromStart: latenessOf(latenessMs),
      cpuShare: Number(cpuShare.toFixed(3)),
      rssBytes: await rssOf(pid),
      audits: [arrivals.audit()],
    }
  })
}

export interface Burst {
  readonly count: number
  /** From the due instant until the last message was read: by a new process, then by the same one again. */
  readonly outMs: readonly number[]
  readonly peakRssBytes: number
  readonly audits: readonly Audit[]
}

/** `count` messages of 1 KiB, all due at one instant and all there before it; twice. */
export async function burst(bootstrap: string, contender: Contender, count: number): Promise<Burst> {
  return whileReading(bootstrap, contender, async arrivals => {
    const outMs: number[] = []
    const audits: Audit[] = []
    for (let round = 0; round < 2; round++) {
      arrivals.begin(count)
      const dueMs = Date.now() + 8_000 + count / 10
      await runLoad('backlog', [bootstrap, contender.input, PARTITIONS, count, 1024, dueMs, dueMs])
      if (Date.now() > dueMs - 2_000)
        throw new Error(`${count} messages were not sent 2 s before they were due: the burst would not be one`)
      await arrivals.read(dueMs - Date.now() + GIVE_UP_MS)
      outMs.push(latenessOf(arrivals.latenessMs()).maxMs)
      audits.push(arrivals.audit())
    }
    return { count, outMs, peakRssBytes: await peakRssOf(contender.pid()), audits }
  })
}

export interface Pending {
  readonly count: number
  readonly valueBytes: number
  /** From the first message sent until the offsets of all were committed. */
  readonly intakeMs: number
  readonly peakRssBytes: number
  readonly rssBytes: number
  /** Of one core, while nothing is due. */
  readonly cpuShareAtRest: number
  /** After SIGKILL and a restart at once, until each partition delivered a message that was due meanwhile. */
  readonly recovery: Recovery
  readonly audits: readonly Audit[]
}

/** `count` messages that are due in hours, and one for each partition that is due right after a SIGKILL. */
export async function pending(
  bootstrap: string,
  contender: Contender,
  { count, valueBytes, hours }: { readonly count: number; readonly valueBytes: number; readonly hours: readonly [number, number] },
): Promise<Pending> {
  return whileReading(bootstrap, contender, async arrivals => {
    const beganMs = performance.now()
    const [firstDueMs, lastDueMs] = hours.map(hour => Date.now() + hour * HOUR_MS)
    await runLoad('backlog', [bootstrap, contender.input, PARTITIONS, count, valueBytes, firstDueMs ?? 0, lastDueMs ?? 0])
    await takenIn(bootstrap, contender, 60_000 + count / 10)
    const intakeMs = Math.round(performance.now() - beganMs)
    await pause(REST_MS)
    const pid = contender.pid()
    const before = { cpuMs: await cpuMsOf(pid), atMs: performance.now() }
    await pause(REST_MS)
    const cpuShareAtRest = Number((((await cpuMsOf(pid)) - before.cpuMs) / (performance.now() - before.atMs)).toFixed(3))
    const memory = { peakRssBytes: await peakRssOf(pid), rssBytes: await rssOf(pid) }

    arrivals.begin(PARTITIONS)
    const dueMs = Date.now() + 3_000
    await runLoad('backlog', [bootstrap, contender.input, PARTITIONS, PARTITIONS, valueBytes, dueMs, dueMs])
    // Long enough to have stored them.
    await pause(1_000)
    const recovery = await recover(contender, arrivals)
    return { count, valueBytes, intakeMs, ...memory, cpuShareAtRest, recovery, audits: [arrivals.audit()] }
  })
}

export interface Recovery {
  /** From SIGKILL to the first delivery of what was due after it, and to such a delivery from every partition. */
  readonly firstMs: number
  readonly everyPartitionMs: number
}

export interface Kill {
  readonly perSecond: number
  readonly recovery: Recovery
  readonly audits: readonly Audit[]
}

/** SIGKILL amid a steady load, and a restart at once, as a supervisor does it. */
export async function kill(bootstrap: string, contender: Contender, perSecond: number): Promise<Kill> {
  return whileReading(bootstrap, contender, async arrivals => {
    const seconds = 22
    arrivals.begin(perSecond * seconds)
    const load = runLoad('delayed-messages', [bootstrap, contender.input, PARTITIONS, perSecond, seconds, ...DELAYS_MS])
    await arrivals.read(12_000)
    const recovery = await recover(contender, arrivals)
    await arrivals.read(seconds * 1_000 + GIVE_UP_MS)
    await load
    return { perSecond, recovery, audits: [arrivals.audit()] }
  })
}

async function recover(contender: Contender, arrivals: Arrivals): Promise<Recovery> {
  await contender.kill()
  const killedMs = Date.now()
  contender.start()
  let firstMs = NaN
  let everyPartitionMs = NaN
  const delivering = new Set<number>()
  await arrivals.read(GIVE_UP_MS, ({ dueMs, atMs, inputPartition }) => {
    if (dueMs <= killedMs) return false
    if (delivering.size === 0) firstMs = atMs - killedMs
    delivering.add(inputPartition)
    if (delivering.size < PARTITIONS) return false
    everyPartitionMs = atMs - killedMs
    return true
  })
  return { firstMs, everyPartitionMs }
}

async function whileReading<T>(bootstrap: string, contender: Contender, run: (arrivals: Arrivals) => Promise<T>): Promise<T> {
  contender.start()
  await contender.ready()
  const arrivals = await Arrivals.open(bootstrap, contender.target, PARTITIONS)
  try {
    return await run(arrivals)
  } finally {
    await arrivals.close()
  }
}
