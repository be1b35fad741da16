// Calls of the HTTP API: one place for the session's token, for errors, and for the server's clock.
import type { Attachment, Problem } from './api'
import { lineReader } from './logic/lines'

/** A refusal of the API, with its reasons in words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`)
    this.name = 'ApiError'
  }

  /** The reasons, one a line, as a person can read them. */
  get reasons(): string[] {
    const violations = (this.problem.violations ?? []).map((v) => [v.field, v.wanted].filter(Boolean).join(': '))
    const errors = (this.problem.errors ?? []).map((e) => [e.location, e.message].filter(Boolean).join(': '))
    return [...violations, ...errors].filter(Boolean)
  }
}

let csrf = ''
let offset = 0 // server's clock minus ours, ms
let lost: () => void = () => undefined
let due: () => void = () => undefined

/** Sets the token that goes with every change. */
export function setToken(token: string): void {
  csrf = token
}

/** Says what to do when the session has ended. */
export function onSessionLost(then: () => void): void {
  lost = then
}

/** Says what to do when something must be done before anything else is open. */
export function onDue(then: () => void): void {
  due = then
}

/** Now by the server's clock, ms: ages of readings are true even where a computer's clock is not. */
export function serverNow(): number {
  return Date.now() + offset
}

/** Learns the server's clock from a time it gave just now. */
export function learnClock(ms: number): void {
  const seen = ms - Date.now()
  if (Math.abs(seen - offset) > 1500) offset = Math.abs(seen) > 1500 ? seen : 0
}

/** What a refusal says; an ended session and what is due are seen to. */
async function refused(answer: Response, path: string): Promise<ApiError> {
  const problem = (await answer.json().catch(() => ({}))) as Problem
  if (answer.status === 401 && path !== '/session') lost()
  if (problem.code === 'due') due()
  return new ApiError(answer.status, problem)
}

/** Sends a request; an answer that is a refusal becomes an error. */
async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  const raw = body instanceof Blob
  let answer: Response
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      headers: {
        Accept: 'application/json',
        ...(method === 'GET' ? {} : { 'X-CSRF-Token': csrf }),
        ...(body === undefined || raw ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
  } catch {
    throw new ApiError(0, { title: 'network' })
  }
  const date = answer.headers.get('Date')
  if (date) learnClock(Date.parse(date) + 500)
  if (!answer.ok) throw await refused(answer, path)
  return answer
}

async function call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const answer = await ask(method, path, body, headers)
  if (answer.status === 204) return undefined as T
  const text = await answer.text()
  return (text ? JSON.parse(text) : undefined) as T
}

type Param = string | number | boolean | undefined | null

/** A path with those parameters that have a value. */
export function withQuery(path: string, params: Record<string, Param>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, String(value))
  }
  const text = query.toString()
  return text ? `${path}?${text}` : path
}

export const get = <T>(path: string, params: Record<string, Param> = {}): Promise<T> =>
  call<T>('GET', withQuery(path, params))

export const post = <T>(path: string, body: unknown): Promise<T> => call<T>('POST', path, body)

export const patch = <T>(path: string, body: unknown): Promise<T> => call<T>('PATCH', path, body)

/** Sends a question whose answer comes line by line, and tells each line as it comes. It ends when the signal says so. */
export async function lines(
  path: string,
  body: unknown,
  each: (line: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const answer = await ask('POST', path, body, { Accept: 'application/x-ndjson, application/json' }, signal)
  const stream = answer.body?.getReader()
  const decode = new TextDecoder()
  const read = lineReader<unknown>()
  try {
    for (;;) {
      const part = await stream?.read()
      const done = !part || part.done
      for (const line of read(decode.decode(done ? undefined : part.value, { stream: !done }), done)) each(line)
      if (done) return
    }
  } catch {
    throw new ApiError(0, { title: 'network' }) // the connection broke, or was broken off
  }
}

export const remove = (path: string): Promise<void> => call('DELETE', path)

/** Sends a file and returns its record. */
export const upload = (file: Blob, name: string): Promise<Attachment> =>
  call<Attachment>('POST', '/attachments', file, {
    'Content-Type': file.type,
    'X-File-Name': encodeURIComponent(name),
  })

export const attachmentUrl = (id: string): string => `/api/v1/attachments/${encodeURIComponent(id)}`

/** Saves what a path answers as a file, with the refusal in words where there is none. */
export async function download(path: string, name: string): Promise<void> {
  const answer = await fetch(`/api/v1${path}`, { credentials: 'same-origin' }).catch(() => {
    throw new ApiError(0, { title: 'network' })
  })
  if (!answer.ok) throw await refused(answer, path)
  const url = URL.createObjectURL(await answer.blob())
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.click()
  URL.revokeObjectURL(url)
}
