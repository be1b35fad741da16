// Times of the made-up world, ms.

export const MIN = 60_000
export const HOUR = 60 * MIN
export const DAY = 24 * HOUR
