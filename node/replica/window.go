package replica

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"google.golang.org/protobuf/encoding/protowire"
)

// How many commands are kept in the log behind a snapshot, at least and at most.
const (
	minTrailing = 4096
	maxTrailing = 1 << 18
)

// logSize measures how large commands are, so that the window can be bounded in bytes although raft counts commands.
type logSize struct{ entries, bytes atomic.Uint64 }

func (s *logSize) add(n int) {
	s.entries.Add(1)
	s.bytes.Add(uint64(n))
}

// trailing is raft's configuration with the number of commands that make about LogBytes.
func (r *Replica) trailing() raft.ReloadableConfig {
	c := r.raft.ReloadableConfig()
	mean := max(1, r.size.bytes.Load()/max(1, r.size.entries.Load()))
	c.TrailingLogs = min(max(r.opt.LogBytes/mean, minTrailing), maxTrailing)
	return c
}

// Frames calls fn for the frames of samples among the applied commands from an index on, in order, until about maxBytes
// of them were given or fn fails. It returns the index to go on from. fn must not keep the frame. Errors: ErrTruncated, fn's.
func (r *Replica) Frames(from uint64, maxBytes int, fn func(index uint64, frame []byte) error) (next uint64, err error) {
	from = max(1, from)
	given := 0
	for to := r.opt.Store.Applied(); from <= to && given < maxBytes; from++ {
		var l raft.Log
		if err := r.wal.GetLog(from, &l); err != nil {
			if first, ferr := r.wal.FirstIndex(); ferr == nil && from < first || errors.Is(err, wal.ErrNotFound) {
				err = ErrTruncated
			}
			return from, fmt.Errorf("read command %d: %w", from, err)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		frame, ok := frameOf(l.Data)
		if !ok {
			continue
		}
		if err := fn(from, frame); err != nil {
			return from, err
		}
		given += len(frame)
	}
	return from, nil
}

// frameField is the number of schema.Command's field frame.
const frameField = 10

// frameOf finds the frame in the bytes of a command, without decoding the rest; false when the command is another.
func frameOf(command []byte) ([]byte, bool) {
	for len(command) > 0 {
		number, kind, n := protowire.ConsumeTag(command)
		if n < 0 {
			return nil, false
		}
		command = command[n:]
		if number == frameField && kind == protowire.BytesType {
			frame, size := protowire.ConsumeBytes(command)
			return frame, size >= 0
		}
		if n = protowire.ConsumeFieldValue(number, kind, command); n < 0 {
			return nil, false
		}
		command = command[n:]
	}
	return nil, false
}
