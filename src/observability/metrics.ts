import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

export interface Counter {
  inc(labels?: Labels, by?: number): void
}
export interface Gauge {
  set(value: number, labels?: Labels): void
  add(by: number, labels?: Labels): void
  /** Drops one series, for a thing that is gone. */
  remove(labels: Labels): void
}
export interface Histogram {
  observe(value: number, labels?: Labels): void
}

export interface MetricDeclaration {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  /** Label values known beforehand: set to zero at once, so that rates work from the first scrape. */
  readonly zero?: readonly Labels[]
}
export interface HistogramDeclaration extends MetricDeclaration {
  readonly buckets: readonly number[]
}
export interface GaugeDeclaration extends MetricDeclaration {
  /** Called on every scrape, to set what is cheaper to compute than to keep. */
  readonly collect?: (gauge: Gauge) => void
}

/** The metrics of one process. Declaring a name a second time is a programming error and throws. */
export interface Metrics {
  counter(declaration: MetricDeclaration): Counter
  gauge(declaration: GaugeDeclaration): Gauge
  histogram(declaration: HistogramDeclaration): Histogram
  /** Names declared so far, sorted. */
  names(): readonly string[]
  /** The text that Prometheus scrapes. */
  expose(): Promise<{ readonly contentType: string; readonly body: string }>
}

/** @param options.defaultLabels labels on every series, e.g. the name of the pod's resource; keep them few. */
export function createMetrics(options: { readonly defaultLabels?: Labels } = {}): Metrics {
  const registry = new Registry()
  if (options.defaultLabels !== undefined) registry.setDefaultLabels({ ...options.defaultLabels })
  const names: string[] = []
  const common = ({ name, help, labels = [] }: MetricDeclaration) => {
    names.push(name)
    return { name, help, labelNames: [...labels], registers: [registry] }
  }
  return {
    counter: declaration => {
      const counter = new PromCounter(common(declaration))
      declaration.zero?.forEach(labels => {
        counter.inc({ ...labels }, 0)
      })
      return {
        inc: (labels = {}, by = 1) => {
          counter.inc(labels, by)
        },
      }
    },
    gauge: declaration => gauge(declaration, common(declaration)),
    histogram: declaration => {
      const histogram = new PromHistogram({ ...common(declaration), buckets: [...declaration.buckets] })
      declaration.zero?.forEach(labels => {
        histogram.zero({ ...labels })
      })
      return {
        observe: (value, labels = {}) => {
          histogram.observe(labels, value)
        },
      }
    },
    names: () => names.toSorted(),
    expose: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  }
}

function gauge(declaration: GaugeDeclaration, common: { name: string; help: string; labelNames: string[]; registers: Registry[] }): Gauge {
  const { collect, zero } = declaration
  const prom: PromGauge = new PromGauge({
    ...common,
    ...(collect && {
      collect: () => {
        collect(port)
      },
    }),
  })
  const port: Gauge = {
    set: (value, labels = {}) => {
      prom.set(labels, value)
    },
    add: (by, labels = {}) => {
      prom.inc(labels, by)
    },
    remove: labels => {
      prom.remove({ ...labels })
    },
  }
  zero?.forEach(labels => {
    port.set(0, labels)
  })
  return port
}
