import { pino } from 'pino'

/** Structured log: fields first, then a sentence. Never put secrets or payloads of records into either. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A logger that adds `fields` to every line. */
  child(fields: object): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Where lines go; standard output by default, so that standard error stays free for people. */
export interface LogDestination {
  write(line: string): void
}

/**
 * JSON lines with the level in words and ISO time. Errors under `err` or `error` are written with message, code, stack and causes.
 */
export function createLogger(
  options: { readonly level?: LogLevel; readonly fields?: object } = {},
  destination: LogDestination = pino.destination({ dest: 1, sync: true }),
): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: options.fields ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: pino.stdSerializers.errWithCause, error: pino.stdSerializers.errWithCause },
    },
    destination,
  )
}
