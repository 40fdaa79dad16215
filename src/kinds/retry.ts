import { notLongerCel } from '../api/cel-text.ts'
import { choice, duration, intOrString, object, optional } from '../api/schema.ts'

/** `backoff` of pipelines and sagas. */
export const backoff = object(
  'How long to wait between two attempts.',
  {
    initial: optional(duration('First wait.')),
    factor: optional(
      intOrString('Growth from one wait to the next: 2, "1.5".', '^([1-9]|[1-9][0-9]|100)(\\.[0-9]{1,3})?$', 8, [
        {
          rule: 'type(self) == string || (int(self) >= 1 && int(self) <= 100)',
          message: 'must be from 1 to 100: below 1 the waits would shrink',
        },
      ]),
    ),
    max: optional(duration('Longest wait.')),
    jitter: optional(choice('Randomness of the waits.', 'Full', 'Equal', 'None')),
  },
  [
    {
      rule: `!has(self.initial) || !has(self.max) || ${notLongerCel('self.initial', 'self.max')}`,
      message: 'initial must not be above max',
      fieldPath: '.initial',
    },
  ],
)
