/** Where the model's events come from: a seeded queue in simulations, the machine's timers in unit tests. */
export interface Time {
  /** Milliseconds from an arbitrary origin; never goes back. */
  nowMs(): number
  /** Runs `action` once, after `delayMs`. What happens at a broker: nobody's pause or death stops it. */
  after(delayMs: number, action: () => void): void
}

/** A process: what it is told and what its timers do happens only while it runs, waits while it is stopped, and never after its death. */
export interface Host {
  readonly alive: boolean
  /** On the thread that runs JavaScript. */
  after(delayMs: number, action: () => void): void
  /** On a thread of the client library: goes on while JavaScript is busy. */
  background(delayMs: number, action: () => void): void
}

/** What happens to messages between clients and brokers. */
export interface Network {
  /** One way. */
  delayMs(): number
  /** Of one attempt of a request. What is lost is sent again by the client library, as the same request. */
  fate(): 'arrives' | 'request lost' | 'answer lost'
  /** Until a client notices that nothing comes back, or asks a broker again that could not serve it. */
  retryMs(): number
  /** How long a broker takes to write one marker of a transaction that ended. */
  markerMs(): number
  /** Whether a request of a process that has died meanwhile still arrives. */
  outlives(): boolean
  /** At most so many records of one partition come with one fetch. */
  fetchRecords(): number
}

/** Everything arrives, at once. */
export const perfectNetwork: Network = {
  delayMs: () => 0,
  fate: () => 'arrives',
  retryMs: () => 2,
  markerMs: () => 0,
  outlives: () => true,
  fetchRecords: () => Infinity,
}

/** The machine's own time, for tests that run beside it. */
export const realTime: Time & Host = {
  alive: true,
  nowMs: () => performance.now(),
  after: later,
  background: later,
}

function later(delayMs: number, action: () => void): void {
  if (delayMs <= 0) setImmediate(action)
  else setTimeout(action, delayMs).unref()
}
