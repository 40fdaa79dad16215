import { afterEach, describe, expect, test } from '@jest/globals'
import { FakeClock, settle } from '../../test/support/fakes/clock.ts'
import { createLogger } from '../observability/logger.ts'
import type { KubernetesClient } from './client.ts'
import { KubernetesError } from './errors.ts'
import { Informer } from './informer.ts'
import type { InformerMetrics } from './metrics.ts'
import { CONFIG_MAPS, type KubernetesObject } from './object.ts'

const object = (name: string, resourceVersion: string): KubernetesObject => ({
  metadata: { namespace: 'shop', name, uid: name, resourceVersion },
})
const event = (type: string, subject: object): string => JSON.stringify({ type, object: subject })
const bookmark = (resourceVersion: string): string => event('BOOKMARK', { metadata: { resourceVersion } })

/** Lists are answered in turn, the last one again and again; watches say their lines and then wait, or end as told. */
class ScriptedClient implements KubernetesClient {
  readonly namespace = 'shop'
  readonly watchedFrom: unknown[] = []
  lists = 0
  readonly #pages: { items: readonly KubernetesObject[]; version: string }[]
  readonly #watches: (readonly (string | Error)[])[]

  constructor(pages: { items: readonly KubernetesObject[]; version: string }[], watches: (readonly (string | Error)[])[]) {
    this.#pages = pages
    this.#watches = watches
  }
  send(): Promise<unknown> {
    const page = this.#pages[Math.min(this.lists++, this.#pages.length - 1)]!
    return Promise.resolve({ metadata: { resourceVersion: page.version }, items: page.items })
  }
  async *lines(_path: string, query: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<string, void> {
    this.watchedFrom.push(query.resourceVersion)
    for (const line of this.#watches.shift() ?? []) {
      if (line instanceof Error) throw line
      yield line
    }
    await new Promise((_, reject) => {
      const end = (): void => {
        reject(new Error('aborted'))
      }
      if (signal.aborted) end()
      signal.addEventListener('abort', end)
    })
  }
  close(): void {
    // Nothing is open.
  }
}

const counts = { listed: 0, failed: 0, missed: 0 }
const metrics: InformerMetrics = {
  listed: () => {
    counts.listed++
  },
  failed: () => {
    counts.failed++
  },
  missed: (_scope, count) => {
    counts.missed += count
  },
  track: () => undefined,
}

const stop: AbortController[] = []
afterEach(() => {
  stop.splice(0).forEach(each => {
    each.abort()
  })
  Object.assign(counts, { listed: 0, failed: 0, missed: 0 })
})

async function informing(client: KubernetesClient) {
  const clock = new FakeClock()
  const informer = new Informer({
    client,
    clock,
    metrics,
    scope: { collection: CONFIG_MAPS, namespace: 'shop' },
    logger: createLogger({ level: 'silent' }),
    random: () => 0.5,
    relistMs: 60_000,
  })
  const abort = new AbortController()
  stop.push(abort)
  void informer.run(abort.signal)
  await settle()
  return { informer, clock, names: () => informer.list().map(each => each.metadata.name) }
}

describe('an informer', () => {
  test('should go on from the last bookmark after an error, without a listing', async () => {
    const client = new ScriptedClient([{ items: [object('a', '5')], version: '5' }], [[bookmark('9'), new Error('ECONNRESET')]])
    const { clock } = await informing(client)
    await clock.advance(1_000)
    expect(client.watchedFrom).toEqual(['5', '9'])
    expect(counts).toMatchObject({ listed: 1, failed: 1 })
  })

  test.each([
    { what: 'its version is gone', end: event('ERROR', { code: 410, message: 'too old' }) },
    { what: 'the server refuses the version', end: new KubernetesError('Gone', 'too old') },
    { what: 'an event is not JSON', end: '{"type":"ADD' },
    { what: 'an event is of an unknown type', end: event('RENAMED', object('a', '6')) },
  ])('should list anew when $what', async ({ end }) => {
    const second = { items: [object('b', '8')], version: '8' }
    const client = new ScriptedClient([{ items: [object('a', '5')], version: '5' }, second], [[end]])
    const { clock, names } = await informing(client)
    await clock.advance(1_000)
    expect(names()).toEqual(['b'])
    expect(client.watchedFrom).toEqual(['5', '8'])
    expect(counts).toEqual({ listed: 2, failed: 1, missed: 0 })
  })

  test('should back off while nothing works, up to half a minute', async () => {
    const client = new ScriptedClient(
      [{ items: [], version: '1' }],
      Array.from({ length: 9 }, () => [new Error('refused')]),
    )
    const { clock } = await informing(client)
    const waits: number[] = []
    for (let i = 0; i < 6; i++) {
      waits.push(clock.waitsMs[0]!)
      await clock.advance(clock.waitsMs[0]!)
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000])
  })

  test('should stop for good when told to, also while it waits', async () => {
    const client = new ScriptedClient([{ items: [], version: '1' }], [[new Error('refused')]])
    const { clock } = await informing(client)
    stop[0]!.abort()
    await settle()
    expect(clock.waitsMs).toEqual([])
    expect(client.watchedFrom).toHaveLength(1)
  })

  test('should not take the answer to an older write for news', async () => {
    const client = new ScriptedClient([{ items: [object('a', '5')], version: '5' }], [[event('MODIFIED', object('a', '7'))]])
    const { informer } = await informing(client)
    informer.refresh(object('a', '6'))
    expect(informer.get('shop', 'a')?.metadata.resourceVersion).toBe('7')
  })

  describe('that lists anew by force', () => {
    const before = { items: [object('a', '5')], version: '5' }
    const watchUpTo9 = [bookmark('9')]

    test('should count what the watch never told', async () => {
      const after = { items: [object('b', '7')], version: '9' }
      const client = new ScriptedClient([before, after], [watchUpTo9, [bookmark('9')]])
      const { clock, names } = await informing(client)
      await clock.advance(60_000)
      expect(names()).toEqual(['b'])
      expect(counts).toEqual({ listed: 2, failed: 0, missed: 2 })
    })

    test('should not count what was still under way', async () => {
      const after = { items: [object('b', '11')], version: '12' }
      const stillToCome = [event('DELETED', object('a', '10')), event('ADDED', object('b', '11')), bookmark('13')]
      const client = new ScriptedClient([before, after], [watchUpTo9, stillToCome])
      const { clock, names } = await informing(client)
      await clock.advance(60_000)
      expect(names()).toEqual(['b'])
      expect(client.watchedFrom).toEqual(['5', '9'])
      expect(counts).toEqual({ listed: 2, failed: 0, missed: 0 })
    })
  })
})
