/** What is judged: enough to find it in the logs. */
export interface About {
  readonly name: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly id?: string | undefined
}

/** A promise that was broken, and the message that it was made about. */
export class Broken extends Error {
  readonly about: About | undefined

  constructor(message: string, about?: About) {
    super(about === undefined ? message : `${about.name} (${originOf(about)}) ${message}`)
    this.about = about
  }
}

export const originOf = ({ topic, partition, offset }: Pick<About, 'topic' | 'partition' | 'offset'>): string =>
  `${topic}/${partition}@${offset}`
