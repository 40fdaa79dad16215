import type { Metrics } from '../observability/metrics.ts'
import type { Scope } from './reflector.ts'

/** What informers count, labelled by the plural of the resource. */
export interface InformerMetrics {
  listed(scope: Scope): void
  failed(scope: Scope): void
  missed(scope: Scope, count: number): void
  /** Shows the age of the last event on each scrape; of several scopes of one resource the oldest. */
  track(scope: Scope, ageMs: () => number): void
}

/** Declares the `sluice_informer_*` metrics; call once per process. */
export function informerMetrics(metrics: Metrics): InformerMetrics {
  const labels = ['resource']
  const ages = new Map<string, (() => number)[]>()
  const listed = metrics.counter({
    name: 'sluice_informer_relists_total',
    help: 'Full listings of a resource, forced ones included.',
    labels,
  })
  const failed = metrics.counter({ name: 'sluice_informer_failures_total', help: 'Lists and watches that ended with an error.', labels })
  const missed = metrics.counter({
    name: 'sluice_informer_missed_events_total',
    help: 'Changes that a forced relist found although the watch should have told of them.',
    labels,
  })
  metrics.gauge({
    name: 'sluice_informer_last_event_age_seconds',
    help: 'Time since the API server last sent anything about a resource, bookmarks included.',
    labels,
    collect: gauge => {
      for (const [resource, of] of ages) gauge.set(Math.max(...of.map(age => age())) / 1_000, { resource })
    },
  })
  return {
    listed: scope => {
      listed.inc({ resource: scope.collection.plural })
    },
    failed: scope => {
      failed.inc({ resource: scope.collection.plural })
    },
    missed: (scope, count) => {
      missed.inc({ resource: scope.collection.plural }, count)
    },
    track: (scope, ageMs) => {
      const resource = scope.collection.plural
      ages.set(resource, [...(ages.get(resource) ?? []), ageMs])
      for (const counter of [listed, failed, missed]) counter.inc({ resource }, 0)
    },
  }
}

export interface WriteMetrics {
  /** A write that changed something on the API server, or tried to. */
  wrote(resource: string, outcome: 'written' | 'conflict' | 'error'): void
}

/** Declares `sluice_kubernetes_writes_total`; call once per process. */
export function writeMetrics(metrics: Metrics): WriteMetrics {
  const writes = metrics.counter({
    name: 'sluice_kubernetes_writes_total',
    help: 'Writes to the API server by resource and outcome; zero in a converged cluster.',
    labels: ['resource', 'outcome'],
  })
  return {
    wrote: (resource, outcome) => {
      writes.inc({ resource, outcome })
    },
  }
}
