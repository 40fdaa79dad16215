import type { Logger } from '../observability/logger.ts'
import type { KubernetesClient } from './client.ts'
import { fingerprint, projection, semanticallyEqual } from './equality.ts'
import { hasCode } from './errors.ts'
import type { WriteMetrics } from './metrics.ts'
import { keyOf, pathOf, type Collection, type KubernetesObject } from './object.ts'
import { APPLIED_ANNOTATION, FIELD_MANAGER, mustBeOurs } from './ownership.ts'

export interface ApplierOptions {
  readonly client: KubernetesClient
  readonly logger: Logger
  readonly writes: WriteMetrics
}

/** Fingerprints of an intent and of what the API server made of it: quantities and the like are stored in its own spelling. */
interface Settled {
  readonly intent: string
  readonly live: string
}

/**
 * Server-side apply of objects that we own, under one field manager. An object is written only if it differs in meaning: when the intent is
 * another than the one last applied (annotation), or a field of it was changed by hand.
 */
export class Applier {
  readonly #options: ApplierOptions
  readonly #settled = new Map<string, Settled>()

  constructor(options: ApplierOptions) {
    this.#options = options
  }

  /**
   * @param cached the object as last seen; undefined: none is known
   * @returns the stored object, or undefined when nothing had to be written
   * @throws KubernetesError `NotOurs` when an object of that name belongs to somebody else
   */
  async apply(
    collection: Collection,
    wanted: KubernetesObject,
    cached: KubernetesObject | undefined,
  ): Promise<KubernetesObject | undefined> {
    const intent = annotated(wanted, fingerprint(wanted))
    // Informers see only what carries our label: an object of somebody else must be found before it is merged into.
    const live = cached ?? (await this.#read(collection, intent))
    if (live !== undefined) {
      mustBeOurs(live, intent)
      if (this.#inLine(collection, intent, live)) return undefined
    }
    const stored = await this.#write(collection, intent)
    this.#settled.set(settledKey(collection, intent), { intent: fingerprint(intent), live: fingerprint(projection(stored, intent)) })
    return stored
  }

  /** Forgets what is known of an object that is gone. */
  forget(collection: Collection, object: KubernetesObject): void {
    this.#settled.delete(settledKey(collection, object))
  }

  #inLine(collection: Collection, intent: KubernetesObject, live: KubernetesObject): boolean {
    const seen = projection(live, intent)
    if (semanticallyEqual(seen, intent)) return true
    const settled = this.#settled.get(settledKey(collection, intent))
    return settled?.intent === fingerprint(intent) && settled.live === fingerprint(seen)
  }

  /** Tries without force first, so that a conflict is seen and told; then takes the fields back, since the object is ours. */
  async #write(collection: Collection, intent: KubernetesObject): Promise<KubernetesObject> {
    try {
      return await this.#patch(collection, intent, false)
    } catch (error) {
      if (!hasCode(error, 'Conflict')) throw error
      this.#options.logger.warn(
        { object: keyOf(intent), kind: collection.kind, err: error },
        'another field manager changed an object of ours; taking the fields back',
      )
      return this.#patch(collection, intent, true)
    }
  }

  async #patch(collection: Collection, intent: KubernetesObject, force: boolean): Promise<KubernetesObject> {
    const { client, writes } = this.#options
    try {
      const stored = await client.send({
        method: 'PATCH',
        path: pathOf(collection, intent.metadata.namespace, intent.metadata.name),
        query: { fieldManager: FIELD_MANAGER, force },
        contentType: 'application/apply-patch+yaml',
        body: intent,
      })
      writes.wrote(collection.plural, 'written')
      return stored as KubernetesObject
    } catch (error) {
      writes.wrote(collection.plural, hasCode(error, 'Conflict') ? 'conflict' : 'error')
      throw error
    }
  }

  async #read(collection: Collection, intent: KubernetesObject): Promise<KubernetesObject | undefined> {
    const path = pathOf(collection, intent.metadata.namespace, intent.metadata.name)
    try {
      return (await this.#options.client.send({ method: 'GET', path })) as KubernetesObject
    } catch (error) {
      if (hasCode(error, 'NotFound')) return undefined
      throw error
    }
  }
}

const settledKey = (collection: Collection, object: KubernetesObject): string => `${collection.plural}/${keyOf(object)}`

const annotated = (object: KubernetesObject, hash: string): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [APPLIED_ANNOTATION]: hash } },
})
