// Package replica makes the replicas of a site agree. hashicorp/raft orders commands, raft-wal keeps the log (the only
// write-ahead log of a site), and everything between replicas goes over TLCP between certificates of the own site.
//
// # Proposing
//
// Any replica takes commands; one that does not lead forwards them. A command gets its id before it is first sent, so
// that it may be sent again when leadership moves: whoever applies it twice sees that it was there. When Propose returns,
// the command's effects are visible on this replica, too.
//
// # Snapshots
//
// State is on the disk already (package store), so a snapshot of raft is only a manifest: as of which index heads and
// engine were kept. It is written after the store was flushed, and then raft cuts its log, but for a window of commands
// that lagging replicas and the live lane read from.
//
// # A replica that is far behind
//
// When the leader no longer has the commands a replica lacks, it sends its manifest. The replica cannot change its store
// under those who read it, so it keeps the manifest, ends with ErrBehind, and is to be started again. Then Behind tells
// that the manifest is ahead of the store, and CatchUp fetches a checkpoint of the store from another replica and puts it
// in place. A crash on the way changes nothing: the manifest still asks for it.
package replica
