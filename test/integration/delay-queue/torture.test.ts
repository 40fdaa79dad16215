import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { tableOf } from '../../support/torture/report.ts'
import type { Report } from '../../support/torture/report.ts'
import { Torture } from '../../support/torture/torture.ts'

// Two minutes on two idle cores; on a busy machine the waits for progress add up.
jest.setTimeout(600_000)

const SEED = 1

let torture: Torture

beforeAll(async () => {
  torture = await Torture.start({
    seed: SEED,
    brokers: 1,
    rate: 100,
    farMs: 80_000,
    farForMs: 10_000,
    dir: join(import.meta.dirname, '../../../build/torture/short'),
  })
}, 90_000)

afterAll(() => torture.close(), 60_000)

/** Workers make progress again. */
const goesOn = (): Promise<void> => torture.progress(100, 60_000)

/** `make torture` in small: every fault once at least, each of them after the workers have shown that they go on. */
test('should keep every promise through kills, stops, cuts and broker restarts', async () => {
  const report = await torture.through(async faults => {
    await goesOn()
    await faults.kill()
    await faults.kill()
    await goesOn()
    faults.stop(8_000)
    await faults.kill()
    await goesOn()
    faults.cut(1)
    await goesOn()
    await faults.restartBroker()
    await goesOn()
    faults.stop(9_000)
    await faults.stall(0.5, 7_000)
    await goesOn()
    await faults.kill()
    await faults.scale(1)
    await goesOn()
    await faults.scale(4)
    await faults.kill()
    await faults.killBroker(500)
    await goesOn()
    await faults.kill()
  })
  console.log(tableOf(report))
  expect(shortened(report)).toMatchObject({ passed: true, told: [], crashes: [] })
  expect(report.faults).toMatchObject({ kill: 6, stop: 2, restartBroker: 1, killBroker: 1, cut: 1, stall: 1 })
})

/** Without what fills a screen. */
const shortened = ({ events: _events, recovery: _recovery, ...rest }: Report): object => rest
