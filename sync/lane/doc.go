// Package lane reads what a site has for a neighbour: pieces of ledgers with what the neighbour may not see withheld,
// frames of the raft log, sealed chunks, contents of attachments. Each reading gives one schema.Inbound, small enough
// to be one command of the neighbour's raft, or nil when there is nothing new. docs/protocol.md is the specification.
//
// Nothing here remembers how far a neighbour is; the neighbour says so.
package lane

// The lanes. Each has a position of its own, so that fresh data never waits behind a backlog.
const (
	Events      = "events"      // ledger items and signed checkpoints
	Live        = "live"        // frames as they entered
	Backfill    = "backfill"    // sealed chunks of partitions that differ
	Attachments = "attachments" // contents of attachments
)

// Limits of one batch. A batch holds at least one item, frame or chunk, however large, so MaxBytes may be passed by one of them.
const (
	MaxBytes = 256 << 10
	MaxItems = 4096
	// PieceBytes is the length of a piece of an attachment's content.
	PieceBytes = 256 << 10
)
