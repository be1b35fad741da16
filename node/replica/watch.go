package replica

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/prometheus/client_golang/prometheus"
)

// stallAfter is how long the disk may take for one write to the log. A leader whose disk hangs keeps its leadership, since
// heartbeats go past the disk, and with it holds up the site; so the replica ends itself, and another leads.
const stallAfter = 15 * time.Second

// ErrStalled says that the disk does not take writes to the log.
var ErrStalled = errors.New("replica: writing the log does not end")

// watchedLog is the log with a clock beside its writes.
type watchedLog struct {
	*wal.WAL
	begun   atomic.Int64 // ns, of the write under way; 0: none
	seconds prometheus.Observer
}

// StoreLog writes one entry.
func (w *watchedLog) StoreLog(l *raft.Log) error { return w.StoreLogs([]*raft.Log{l}) }

// StoreLogs writes entries.
func (w *watchedLog) StoreLogs(logs []*raft.Log) error {
	begun := time.Now()
	w.begun.Store(begun.UnixNano())
	err := w.WAL.StoreLogs(logs)
	w.begun.Store(0)
	w.seconds.Observe(time.Since(begun).Seconds())
	return err
}

// writing is how long the write under way has taken; 0 when there is none.
func (w *watchedLog) writing(now time.Time) time.Duration {
	if begun := w.begun.Load(); begun != 0 {
		return now.Sub(time.Unix(0, begun))
	}
	return 0
}

// watchLog ends the replica when its disk stalls and others could go on.
func (r *Replica) watchLog(w *watchedLog) {
	defer r.wg.Done()
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-r.closed:
			return
		case now := <-every.C:
			if took := w.writing(now); took > stallAfter && len(r.opt.Peers) > 1 {
				r.fail(fmt.Errorf("%w: since %s", ErrStalled, took.Round(time.Second)))
				return
			}
		}
	}
}
