import type { QueueConfig } from '../../src/kinds/delay-queue/config.ts'
import type { Contract, ContractResource } from '../../src/worker/contract.ts'
import type { Cluster } from '../support/model/cluster.ts'

/** A second queue that shares the workers now and then. Nothing is written to it: it comes and goes. */
export class PoolFellow {
  readonly #config: QueueConfig
  readonly #group: string
  readonly #memoryBudgetBytes: number
  #there = false
  #generation = 1

  constructor(
    cluster: Cluster,
    { group, partitions, memoryBudgetBytes }: { group: string; partitions: number; memoryBudgetBytes: number },
  ) {
    this.#group = group
    this.#memoryBudgetBytes = memoryBudgetBytes
    this.#config = {
      partitions,
      maxDelayMs: 1_000,
      topics: { input: 'r.in', fixed: [], tiers: [], journal: 'r.journal', ids: 'r.ids', deadLetter: 'r.dlq' },
      target: 'r.due',
      allowedTargets: [],
    }
    for (const topic of ['r.in', 'r.journal', 'r.ids']) cluster.createTopic(topic, partitions)
  }

  /** It comes or goes. */
  turn(): void {
    this.#there = !this.#there
    this.#generation += 1
  }

  /** Of the workers that it shares with the resource. */
  contract(resource: ContractResource): Contract {
    const fellow = { kind: 'DelayQueue', name: 'r', generation: 1, config: this.#config }
    return {
      version: 1,
      generation: this.#generation,
      namespace: 'shop',
      pool: 'shared',
      group: this.#group,
      connection: { bootstrapServers: ['model'] },
      resources: this.#there ? [resource, fellow] : [resource],
      memoryBudgetBytes: this.#memoryBudgetBytes,
    }
  }
}
