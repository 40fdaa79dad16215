const CLASS = /^http\.([1-5][0-9]{2})$/

/** Class of the error that an HTTP status is; rules and headers name it so. */
export const classOf = (status: number): string => `http.${status}`

/** The status that a class of error names; undefined: it is about something else, such as a timeout. */
export function statusIn(errorClass: string): number | undefined {
  const found = CLASS.exec(errorClass)
  return found === null ? undefined : Number(found[1])
}

export const isDone = (status: number): boolean => status >= 200 && status <= 299

/** Request Timeout, Too Early, Too Many Requests, and whatever the server's fault is; any other answer will be the same the next time. */
export const isRetriable = (status: number): boolean => status === 408 || status === 425 || status === 429 || status >= 500
