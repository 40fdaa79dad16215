import type { Item } from './source.ts'

/** What is in memory, by `sluice-id`. Nearly always one message has an id: then nothing is allocated for it. */
export class Named {
  readonly #byId = new Map<string, Item | Set<Item>>()

  add(item: Item): void {
    const { id } = item.instructions
    if (id === undefined) return
    const known = this.#byId.get(id)
    if (known === undefined) this.#byId.set(id, item)
    else if (known instanceof Set) known.add(item)
    else if (known !== item) this.#byId.set(id, new Set([known, item]))
  }

  delete(item: Item): void {
    const { id } = item.instructions
    if (id === undefined) return
    const known = this.#byId.get(id)
    if (known instanceof Set ? known.delete(item) && known.size === 0 : known === item) this.#byId.delete(id)
  }

  /** Items may be deleted while they are visited. */
  get(id: string): Iterable<Item> {
    const known = this.#byId.get(id)
    if (known === undefined) return []
    return known instanceof Set ? known : [known]
  }
}
