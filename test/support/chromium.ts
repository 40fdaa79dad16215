import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from './eventually.ts'

const TOOL = join(import.meta.dirname, '../../scripts/tool')

/** A page of a headless browser, driven over its own protocol (https://chromedevtools.github.io/devtools-protocol). */
export interface Page {
  goto(url: string): Promise<void>
  /** Value of an expression in the page, which may be a promise. */
  evaluate<T>(expression: string): Promise<T>
  /** Waits until the selector matches an element whose text contains this; answers its text. */
  sees(selector: string, text?: string, withinMs?: number): Promise<string>
  /** A real click with the mouse, in the middle of what the selector matches and whose text contains this. */
  click(selector: string, text?: string): Promise<void>
  /** Types into what the selector matches, as a person does. */
  type(selector: string, text: string): Promise<void>
  press(key: 'Tab' | 'Enter'): Promise<void>
  resize(width: number, height: number, dark?: boolean): Promise<void>
  screenshot(file: string): Promise<void>
  /** What went wrong in the page so far: exceptions, refused resources, broken policies. */
  problems(): readonly string[]
}

export interface Browser {
  readonly page: Page
  close(): Promise<void>
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** Starts the Chromium of `CHROMIUM`, else of `scripts/tool chromium`, with nothing remembered. */
export async function startChromium(): Promise<Browser> {
  const program = process.env.CHROMIUM ?? (await promisify(execFile)(TOOL, ['chromium'])).stdout.trim()
  const profile = await mkdtemp(join(tmpdir(), 'sluice-chromium-'))
  const flags = [
    '--headless',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
  ]
  // Its sandbox needs a user of its own.
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const child = spawn(
    program,
    [...flags, ...asRoot, '--disable-sync', `--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const gone = new Promise(resolve => child.once('exit', resolve))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const close = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const address = await eventually('a browser', () => /DevTools listening on (ws:\S+)/.exec(said)?.[1], 30_000)
    const connection = await Connection.open(address)
    const { targetId } = await connection.send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await connection.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
    return { page: await openPage(connection.session(sessionId)), close }
  } catch (error) {
    await close()
    throw new Error(`${(error as Error).message}: ${said.slice(-1000)}`, { cause: error })
  }
}

type Send = <T = unknown>(method: string, params?: object) => Promise<T>
interface Session {
  readonly send: Send
  readonly onEvent: (listener: (method: string, params: unknown) => void) => void
}

class Connection {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly #listeners: ((method: string, params: unknown) => void)[] = []
  #last = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', event => {
      this.#take(JSON.parse(String(event.data)) as Message)
    })
  }

  static async open(address: string): Promise<Connection> {
    const socket = new WebSocket(address)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true })
      socket.addEventListener(
        'error',
        () => {
          reject(new Error(`no connection to ${address}`))
        },
        { once: true },
      )
    })
    return new Connection(socket)
  }

  send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.#last
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }))
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
    })
  }

  session(id: string): Session {
    return { send: (method, params) => this.send(method, params, id), onEvent: listener => this.#listeners.push(listener) }
  }

  #take({ id, method, params, result, error }: Message): void {
    if (method !== undefined) for (const listener of this.#listeners) listener(method, params)
    const waiting = this.#waiting.get(id ?? -1)
    if (waiting === undefined) return
    this.#waiting.delete(id ?? -1)
    if (error === undefined) waiting.resolve(result)
    else waiting.reject(new Error(error.message))
  }
}

async function openPage({ send, onEvent }: Session): Promise<Page> {
  const problems: string[] = []
  onEvent((method, params) => {
    if (method === 'Runtime.exceptionThrown') problems.push(JSON.stringify((params as { exceptionDetails: unknown }).exceptionDetails))
    const { entry } = params as { entry?: { level: string; text: string; url?: string } }
    if (method === 'Log.entryAdded' && entry?.level === 'error') problems.push(`${entry.text} ${entry.url ?? ''}`)
  })
  for (const domain of ['Page', 'Runtime', 'Log']) await send(`${domain}.enable`)

  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await send<{
      result: { value: T }
      exceptionDetails?: { text: string; exception?: { description: string } }
    }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }
  const found = (selector: string, text: string): string =>
    `[...document.querySelectorAll(${JSON.stringify(selector)})].find(one => one.textContent.includes(${JSON.stringify(text)}))`
  const sees: Page['sees'] = async (selector, text = '', withinMs = 20_000) => {
    try {
      return await eventually(
        `${selector} "${text}"`,
        () => evaluate<string | undefined>(`${found(selector, text)}?.textContent`),
        withinMs,
      )
    } catch (error) {
      throw new Error(`${(error as Error).message}; the page says: ${await evaluate<string>('document.body.innerText.slice(0, 2000)')}`, {
        cause: error,
      })
    }
  }
  const click: Page['click'] = async (selector, text = '') => {
    await sees(selector, text)
    const { x, y } = await evaluate<{ x: number; y: number }>(
      `(one => { one.scrollIntoView({ block: 'center' }); const { x, y, width, height } = one.getBoundingClientRect(); return { x: x + width / 2, y: y + height / 2 } })(${found(selector, text)})`,
    )
    for (const type of ['mousePressed', 'mouseReleased'])
      await send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 })
  }
  return {
    evaluate,
    sees,
    click,
    goto: async url => {
      await send('Page.navigate', { url })
      await eventually(`${url} to load`, () =>
        evaluate<boolean>(`location.href.startsWith(${JSON.stringify(url)}) && document.readyState === 'complete'`),
      )
    },
    type: async (selector, text) => {
      await sees(selector)
      await evaluate(`${found(selector, '')}.focus()`)
      await send('Input.insertText', { text })
    },
    press: async key => {
      const [code, text] = key === 'Enter' ? [13, '\r'] : [9, '']
      for (const type of ['keyDown', 'keyUp'])
        await send('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: code, text })
    },
    resize: async (width, height, dark = false) => {
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 })
      await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] })
    },
    screenshot: async file => {
      const { data } = await send<{ data: string }>('Page.captureScreenshot', { format: 'png' })
      await writeFile(file, Buffer.from(data, 'base64'))
    },
    problems: () => problems,
  }
}
