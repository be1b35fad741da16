/**
 * A reading of the API that begins when somebody waits for it. Until then it is a name (its path) and a way to begin, so that whoever
 * asks for it may keep the answer under its name and break it off.
 */
export class Reading<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = 'Reading'
  private running: Promise<T> | undefined

  constructor(
    readonly path: string,
    private readonly start: (signal?: AbortSignal) => Promise<T>,
  ) {}

  /** Begins, once; the signal breaks it off. */
  begin(signal?: AbortSignal): Promise<T> {
    return (this.running ??= this.start(signal))
  }

  then: Promise<T>['then'] = (done, failed) => this.begin().then(done, failed)

  catch: Promise<T>['catch'] = (failed) => this.begin().catch(failed)

  finally: Promise<T>['finally'] = (after) => this.begin().finally(after)
}
