// What the API takes and answers, by method and path as callers write it: '/alarms', `/alarms/${id}`. All types, no code.
import type { paths as EnterprisePaths } from './schema/enterprise'
import type { paths as RegulatorPaths } from './schema/regulator'

type Method = 'get' | 'post' | 'patch'

/** '/alarms/{id}' as a caller writes it: `/alarms/${string}`. */
type Written<P extends string> = P extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${string}${Written<After>}`
  : P

type Short<K> = K extends `/api/v1${infer P}` ? P : never
type Named = Short<keyof RegulatorPaths> | Short<keyof EnterprisePaths>

interface Answers {
  responses: Record<number, unknown>
}
type At<D, P extends string, M> = `/api/v1${P}` extends infer K
  ? K extends keyof D
    ? M extends keyof D[K]
      ? Extract<D[K][M], Answers>
      : never
    : never
  : never
type Operation<P extends string, M> = [At<RegulatorPaths, P, M>] extends [never]
  ? At<EnterprisePaths, P, M>
  : At<RegulatorPaths, P, M>

/** The path of the description that a written path is; never where it is none, or not known before the program runs. */
type Match<M extends Method, P extends string> = {
  [K in Named]: Written<K> extends P
    ? P extends Written<K>
      ? [Operation<K, M>] extends [never]
        ? never
        : K
      : never
    : never
}[Named]

/** Takes written paths that the description knows, and no others. */
export type Known<M extends Method, P extends string> = [Match<M, P>] extends [never] ? never : unknown

type Content<R> = R extends { content: infer C } ? C[keyof C] : undefined

/** What a path answers. */
export type AnswerOf<M extends Method, P extends string> =
  Operation<Match<M, P>, M> extends { responses: infer R }
    ? R extends { 200: infer Ok }
      ? Content<Ok>
      : undefined
    : never

/** The body a path takes. */
export type BodyOf<M extends Method, P extends string> =
  Operation<Match<M, P>, M> extends { requestBody?: infer B } ? Content<NonNullable<B>> : undefined

/** The parameters a path takes behind the question mark; one that is empty is left out. */
export type QueryOf<P extends string> =
  Operation<Match<'get', P>, 'get'> extends { parameters: { query?: infer Q } }
    ? { [K in keyof NonNullable<Q>]?: NonNullable<Q>[K] | '' | undefined }
    : Record<string, never>
