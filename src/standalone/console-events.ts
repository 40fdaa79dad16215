import type { Resource } from '../api/resource.ts'
import { refOf } from '../api/resource.ts'
import type { EventSink } from '../operator/ports.ts'
import type { Announcer } from './announcer.ts'

/** Events become lines on the console. */
export class ConsoleEvents implements EventSink {
  readonly #announcer: Announcer

  constructor(announcer: Announcer) {
    this.#announcer = announcer
  }

  emit(about: Resource, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#announcer.say({ about: refOf(about), what: reason, message, level: type === 'Normal' ? 'info' : 'warning' })
  }
}
