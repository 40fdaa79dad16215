import { hash } from 'node:crypto'
import { createAPI, Reader } from '@platformatic/kafka'
import type { API, Writer } from '@platformatic/kafka'

/** Questions remembered; the one that was asked longest ago is forgotten first. */
const REMEMBERED = 64
/** Time for which the broker held an answer back: it says nothing about the cluster. */
const THROTTLE_BYTES = 4

/** A request of the library's: which one, and how it is written. */
interface Protocol<Args extends unknown[]> {
  readonly api: { readonly key: number; readonly version: number }
  readonly createRequest: (...args: Args) => Writer
}

/**
 * Answers that are asked for again and again and hardly ever change. An answer of the same bytes as the one before is the same object: it is
 * not decoded, costs no garbage, and callers see by identity that nothing has changed.
 */
export class Answers<T> {
  readonly #decode: (reader: Reader) => T
  readonly #last = new Map<string, { readonly digest: string; readonly value: T }>()

  /** `decode` reads an answer behind its throttle time, and must not keep the reader. */
  constructor(decode: (reader: Reader) => T) {
    this.#decode = decode
  }

  /** The request of `protocol`, with an answer of ours. `question`: what tells it from others. */
  to<Args extends unknown[]>(question: string, { api, createRequest }: Protocol<Args>): API<Args, T> {
    return createAPI<Args, T>(api.key, api.version, createRequest, (_correlationId, _key, _version, reader) =>
      // In one piece: the library's reader looks for its place in the list of pieces at every read.
      this.#read(question, reader.buffer.buffer.subarray(THROTTLE_BYTES)),
    )
  }

  #read(question: string, bytes: Buffer): T {
    const digest = hash('sha256', bytes, 'base64')
    const before = this.#last.get(question)
    this.#last.delete(question)
    const answer = before?.digest === digest ? before : { digest, value: this.#decode(Reader.from(bytes)) }
    this.#last.set(question, answer)
    for (const oldest of this.#last.keys()) if (this.#last.size > REMEMBERED) this.#last.delete(oldest)
    return answer.value
  }
}
