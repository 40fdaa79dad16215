/** Digits in front of a unit. `m` must not be the beginning of `ms`. */
const UNITS_IN_CEL = [
  ['[0-9]+d', 86_400_000],
  ['[0-9]+h', 3_600_000],
  ['[0-9]+m([0-9]|$)', 60_000],
  ['[0-9]+s', 1_000],
  ['[0-9]+ms', 1],
] as const

/**
 * CEL text for the milliseconds of a duration, given CEL text for the duration: the API server knows no days and cannot be taught functions.
 * Agrees with `parseDuration` for whatever matches `DURATION_PATTERN`; a property test holds the two together.
 */
export const durationMsCel = (value: string): string =>
  `(${UNITS_IN_CEL.map(([pattern, unitMs]) => `int('0' + ${value}.find('${pattern}').find('[0-9]+'))${unitMs === 1 ? '' : ` * ${unitMs}`}`).join(' + ')})`

/** CEL text for `a <= b` of two durations. */
export const notLongerCel = (a: string, b: string): string => `${durationMsCel(a)} <= ${durationMsCel(b)}`
