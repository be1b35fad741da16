package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// fsm is the replica as raft sees it. Its methods run on one goroutine, but for Persist.
type fsm Replica

// ApplyBatch applies committed commands. After a failure nothing more is applied.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	r := (*Replica)(f)
	out := make([]any, len(logs))
	for i, l := range logs {
		if l.Type == raft.LogCommand {
			out[i] = r.apply(l)
		}
	}
	return out
}

// Apply applies one committed command.
func (f *fsm) Apply(l *raft.Log) any { return (*Replica)(f).apply(l) }

func (r *Replica) apply(l *raft.Log) any {
	if err := r.Err(); err != nil {
		return err
	}
	r.size.add(len(l.Data))
	res, err := r.opt.Machine.Apply(l.Index, l.Data)
	if err != nil {
		r.fail(err)
		return err
	}
	return res
}

// manifest is what a snapshot holds.
type manifest struct {
	Kept  uint64 `json:"kept"` // index as of which heads and engine were kept; no command lies between it and the snapshot's
	Epoch uint64 `json:"epoch"`
}

var errHeld = errors.New("another replica fetches the store: later")

// Snapshot keeps heads and engine; they may be cut out of the log when Persist has flushed the store.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	r := (*Replica)(f)
	if err := r.Err(); err != nil {
		return nil, err
	}
	r.keeping.Lock()
	defer r.keeping.Unlock()
	if time.Now().Before(r.heldUntil) {
		return nil, errHeld
	}
	if err := r.opt.Machine.Checkpoint(); err != nil {
		return nil, err
	}
	<-r.started
	if err := r.raft.ReloadConfig(r.trailing()); err != nil {
		return nil, fmt.Errorf("set how much of the log is kept: %w", err)
	}
	return &snapshot{r, manifest{Kept: r.opt.Store.HeadsAt(), Epoch: r.opt.Store.Epoch()}}, nil
}

type snapshot struct {
	r *Replica
	m manifest
}

// Persist flushes the store, then writes the manifest.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.r.opt.Store.Flush(); err != nil {
		return err
	}
	if err := json.NewEncoder(sink).Encode(s.m); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// Release has nothing to let go of.
func (s *snapshot) Release() {}

// Restore is called when the leader has sent its manifest in place of commands it no longer has.
func (f *fsm) Restore(source io.ReadCloser) error {
	r := (*Replica)(f)
	m, err := readManifest(source)
	if err != nil {
		return err
	}
	if m.Kept <= r.opt.Store.HeadsAt() {
		return nil
	}
	r.fail(fmt.Errorf("%w: has %d, others begin after %d", ErrBehind, r.opt.Store.HeadsAt(), m.Kept))
	return ErrBehind
}

func readManifest(source io.Reader) (manifest, error) {
	var m manifest
	if err := json.NewDecoder(source).Decode(&m); err != nil {
		return m, fmt.Errorf("read manifest: %w", err)
	}
	return m, nil
}
