// Command ingest measures whole sites from outside, through the doors that everybody uses, and VictoriaMetrics beside them
// where its program is at hand: the same remote write requests, encoded before the clock, sent to one and to the other in
// turns by the same client. scripts/bench builds and runs it; docs/benchmarks.md says what the figures mean.
//
// Everything listens on loopback, lives in one folder that is thrown away, and ends with this program.
package main
