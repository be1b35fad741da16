// Package store keeps what a site knows: records as rows with indexes, the ledgers of this site and of its neighbours,
// positions of lanes, contents of attachments, and series of samples. It sits on Pebble without Pebble's write-ahead
// log: the raft log is the only one (ARCHITECTURE section 3).
//
// # Keys
//
// The first byte says what a key is; strings in keys are escaped so that they sort and cannot run into each other.
//
//	m name                                meta: applied index A, heads index H, epoch
//	o origin                              number of a foreign or own site, given at first sight
//	w type key                            row: origin, seq, time, here, record
//	i type index values... key            index entry, empty
//	l origin epoch seq                    ledger item
//	L origin                              ledger head: epoch, seq, digest
//	c origin epoch seq                    signed checkpoint of a ledger
//	p from origin lane                    position
//	b id piece                            piece of an attachment's content
//	a id                                  an attachment's content is complete: number of pieces
//	s name                                engine state, as of H
//	h origin# series                      head of a series, as of H
//	d partition origin# series            sealed chunk: SM3 of the chunk, the chunk
//	r partition origin# series            rollups of the chunk
//	v type key epoch seq                  origin: an entry that wrote a record people configure
//	t origin# partition                   root of a sealed partition as computed here, and as its owner says
//
// Chunks and rollups begin with the partition, so that retention is one DeleteRange.
//
// # Heads
//
// A series' samples lie in memory, one head for each partition that has not sealed. A late sample for a sealed
// partition thaws the chunk into a head again; the next sealing writes it anew and the partition's revision grows.
// Reading a partition takes its head when there is one, else its chunk.
//
// # Chunks
//
// A chunk's bytes depend on nothing but the samples (chunk.go), so their digests, and the Merkle root over them, are
// the same at every site that has the same samples. A leaf is SM3(0x00 || series || SM3(chunk)), a node
// SM3(0x01 || left || right), an odd node rises as it is; leaves are in order of series.
package store
