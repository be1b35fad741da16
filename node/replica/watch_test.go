package replica

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestStalledDiskEndsTheReplica: a write that does not end makes the replica give up, so that another leads.
func TestStalledDiskEndsTheReplica(t *testing.T) {
	w := &watchedLog{}
	r := &Replica{opt: Options{Peers: make([]Peer, 3)}, log: slog.New(slog.DiscardHandler), failed: make(chan struct{}), closed: make(chan struct{})}
	if w.writing(time.Now()) != 0 {
		t.Error("no write is under way")
	}
	w.begun.Store(time.Now().Add(-stallAfter).UnixNano())
	r.wg.Add(1)
	go r.watchLog(w)
	select {
	case <-r.Failed():
	case <-time.After(5 * time.Second):
		t.Fatal("nothing happened")
	}
	if !errors.Is(r.Err(), ErrStalled) {
		t.Error(r.Err())
	}
}

func TestComplaintsAreNotRepeated(t *testing.T) {
	var b bytes.Buffer
	l := hcLogger(slog.New(slog.NewTextHandler(&b, nil)))
	for range 50 {
		l.Error("failed to heartbeat to", "peer", "a")
		l.Error("failed to heartbeat to", "peer", "b")
		l.Info("chatter")
	}
	if n := strings.Count(b.String(), "\n"); n != 2 {
		t.Errorf("%d lines:\n%s", n, &b)
	}
}
