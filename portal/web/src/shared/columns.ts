/** A column of a list (ListTable). */
export interface Column<R> {
  name: string
  /** key of its heading; none where the cells speak for themselves */
  title?: string
  /** how its cells look: code, nowrap, soft, right; lead: on a phone the card's own title, without a label; acts: buttons */
  look?: string
  /** on a phone, rows that have nothing to show here leave it out */
  bare?: (row: R) => boolean
}
