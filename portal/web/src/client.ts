// Calls of the HTTP API: one place for the session's token, for errors, and for the server's clock. What a path takes and answers is
// known from the API's description (schema/), so that a wrong name does not compile.
import createClient, { type Middleware } from 'openapi-fetch'
import type { Attachment, Problem } from './api'
import { lineReader } from './logic/lines'
import type { AnswerOf, BodyOf, Known, QueryOf } from './paths'
import { Reading } from './reading'

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

/** What went wrong, as an error of the API, which pages know how to show. */
export const asError = (e: unknown): ApiError => (e instanceof ApiError ? e : new ApiError(0, { title: String(e) }))

let csrf = ''
let offset = 0 // server's clock minus ours, ms
let known = false // whether that was ever measured
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

/** How far our clock is off, ms, and whether that was ever measured. */
export const clock = (): { offset: number; known: boolean } => ({ offset, known })

/** Takes what was measured before this page was loaded, until it is measured again. */
export function setClock(measured: number): void {
  if (!known) offset = measured
  known = true
}

/** Learns the server's clock from a time it gave just now. */
export function learnClock(ms: number): void {
  known = true
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

/** What goes with every call, and what is learnt of every answer; one that is a refusal becomes an error. */
const manners: Middleware = {
  onRequest: ({ request }) => {
    if (request.method !== 'GET') request.headers.set('X-CSRF-Token', csrf)
  },
  onResponse: async ({ response, schemaPath }) => {
    const date = response.headers.get('Date')
    if (date) learnClock(Date.parse(date) + 500)
    if (!response.ok) throw await refused(response, schemaPath)
  },
  onError: () => new ApiError(0, { title: 'network' }),
}
const api = createClient<Record<string, Record<Method, object>>>({
  baseUrl: '/api/v1',
  credentials: 'same-origin',
  headers: { Accept: 'application/json' },
})
api.use(manners)

type Method = 'get' | 'post' | 'patch' | 'delete'
interface Sent {
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
  parseAs?: 'json' | 'blob' | 'stream'
}

/** Sends a request whose path is written out. A file goes as it is, all else as JSON. */
async function call<T>(method: Method, path: string, sent: Sent = {}): Promise<T> {
  const { signal, ...rest } = sent
  const raw = rest.body instanceof Blob ? { bodySerializer: (body: unknown) => body as BodyInit } : {}
  const { data } = await api.request(method, path, { ...rest, ...raw, ...(signal ? { signal } : {}) } as never)
  return data as T
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

/** Reads what a path answers: what it is, the description says. Where a path is not written out, the caller says. */
export function get<P extends string>(path: P & Known<'get', P>, params?: QueryOf<P>): Reading<AnswerOf<'get', P>>
export function get<T>(path: string, params?: Record<string, Param>): Reading<T>
export function get(path: string, params: Record<string, Param> = {}): Reading<unknown> {
  const full = withQuery(path, params)
  return new Reading(full, (signal) => call('get', full, { signal }))
}

export function post<P extends string>(
  path: P & Known<'post', P>,
  body: BodyOf<'post', P>,
): Promise<AnswerOf<'post', P>>
export function post<T>(path: string, body: unknown): Promise<T>
export function post(path: string, body: unknown): Promise<unknown> {
  return call('post', path, { body })
}

export function patch<P extends string>(
  path: P & Known<'patch', P>,
  body: BodyOf<'patch', P>,
): Promise<AnswerOf<'patch', P>>
export function patch<T>(path: string, body: unknown): Promise<T>
export function patch(path: string, body: unknown): Promise<unknown> {
  return call('patch', path, { body })
}

export const remove = <T = void>(path: string): Promise<T> => call('delete', path)

/** Sends a file and reads the answer. */
export const send = <T>(path: string, file: Blob): Promise<T> =>
  call('post', path, { body: file, headers: { 'Content-Type': file.type } })

/** Sends a question whose answer comes line by line, and tells each line as it comes. It ends when the signal says so. */
export async function lines(
  path: string,
  body: unknown,
  each: (line: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const headers = { Accept: 'application/x-ndjson, application/json' }
  const answer = await call<ReadableStream<Uint8Array> | null>('post', path, {
    body,
    headers,
    signal,
    parseAs: 'stream',
  })
  const stream = answer?.getReader()
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

/** Sends a file and returns its record. */
export const upload = (file: Blob, name: string): Promise<Attachment> =>
  call('post', '/attachments', {
    body: file,
    headers: { 'Content-Type': file.type, 'X-File-Name': encodeURIComponent(name) },
  })

export const attachmentUrl = (id: string): string => `/api/v1/attachments/${encodeURIComponent(id)}`

/** Saves what is here as a file. */
export function saveAs(file: Blob, name: string): void {
  const url = URL.createObjectURL(file)
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.click()
  URL.revokeObjectURL(url)
}

/** Saves what a path answers as a file, with the refusal in words where there is none. */
export const download = async (path: string, name: string): Promise<void> =>
  saveAs(await call<Blob>('get', path, { parseAs: 'blob', headers: { Accept: '*/*' } }), name)
