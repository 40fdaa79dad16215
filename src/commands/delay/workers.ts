import { METRIC } from '../../kinds/delay-queue/metrics.ts'

const ANSWER_WITHIN_MS = 5_000

/** What one worker says of a queue. */
export interface WorkerStats {
  readonly url: string
  readonly problem?: string
  readonly ready?: boolean
  /** As `/stats` has it. */
  readonly stats?: Readonly<Record<string, unknown>>
  /** From its metrics, since it started: upper bounds of the buckets. */
  readonly lateness?: { readonly delivered: number; readonly p50Seconds: number; readonly p99Seconds: number }
}

/** @throws Error that says how to write one. */
export function parseWorkerUrl(text: string, before: readonly string[] = []): readonly string[] {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new Error(`--worker: "${text.slice(0, 80)}" is not like http://127.0.0.1:8080`)
  return [...before, url.origin]
}

/** Asks workers over HTTP; one that does not answer is no reason to tell nothing. */
export function askWorkers(urls: readonly string[], queue: string): Promise<readonly WorkerStats[]> {
  return Promise.all(
    urls.map(async (url): Promise<WorkerStats> => {
      try {
        const [ready, stats, metrics] = [
          await ask(`${url}/readyz`),
          await ask(`${url}/stats?resource=${encodeURIComponent(queue)}`),
          await ask(`${url}/metrics`),
        ]
        if (!stats.ok) return { url, problem: `answers ${stats.status} to /stats: is it a worker of this version with a delay queue?` }
        const { resources } = (await stats.json()) as { readonly resources: readonly Readonly<Record<string, unknown>>[] }
        const [own] = resources
        if (own === undefined) return { url, problem: `does not work for ${queue}` }
        const lateness = latenessOf(await metrics.text(), queue)
        return { url, ready: ready.ok, stats: own, ...(lateness && { lateness }) }
      } catch (error) {
        return { url, problem: `does not answer: ${(error as Error).message}` }
      }
    }),
  )
}

const ask = (url: string): Promise<Response> => fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })

/** Quantiles of the lateness histogram in a text of metrics; undefined: nothing was delivered. */
export function latenessOf(metrics: string, queue: string): WorkerStats['lateness'] {
  const buckets = metrics.split('\n').flatMap(line => {
    if (!line.startsWith(`${METRIC.lateness}_bucket{`) || !line.includes(`queue="${queue}"`)) return []
    const [, bound, count] = /le="([^"]+)".*\} (\S+)$/.exec(line) ?? []
    return bound === undefined ? [] : [{ bound: bound === '+Inf' ? Infinity : Number(bound), count: Number(count) }]
  })
  const sorted = buckets.sort((a, b) => a.bound - b.bound)
  const delivered = sorted.at(-1)?.count ?? 0
  const quantile = (share: number): number => sorted.find(({ count }) => count >= share * delivered)?.bound ?? Infinity
  return delivered === 0 ? undefined : { delivered, p50Seconds: quantile(0.5), p99Seconds: quantile(0.99) }
}

export const workerLines = (workers: readonly WorkerStats[]): readonly string[] =>
  workers.map(({ url, problem, ready, stats, lateness }) => {
    if (problem !== undefined) return `worker ${url} ${problem}`
    const late =
      lateness === undefined
        ? 'nothing delivered since it started'
        : `${lateness.delivered} delivered since it started, half of them within ${lateness.p50Seconds} s, 99 % within ${lateness.p99Seconds} s`
    return `worker ${url}: ${ready === true ? 'ready' : 'not ready'}, partitions ${JSON.stringify(stats?.partitions)}, ${JSON.stringify(stats?.near)} in memory, ${JSON.stringify(stats?.overdue)} overdue; ${late}`
  })
