// Package live tells those who watch a site what was just applied: portals push it to browsers, lanes send it up.
package live

import (
	"context"
	"sync"

	"dusthub/node/store"
)

// Event is what one command changed.
type Event struct {
	Index uint64 // raft index of the command
	Time  int64  // ms, time of the command
	Rows  []store.Row
	// Lost says that events before this one were dropped because the subscriber was too slow: it must read anew.
	Lost bool
}

// Hub hands events to subscribers. A slow subscriber loses events and is told so; it never slows the machine.
type Hub struct {
	mu      sync.Mutex
	applied uint64
	moved   chan struct{} // closed when applied grows
	subs    map[*subscriber]struct{}
}

type subscriber struct {
	ch   chan Event
	lost bool
}

// New makes a hub that stands at an applied index.
func New(applied uint64) *Hub {
	return &Hub{applied: applied, moved: make(chan struct{}), subs: map[*subscriber]struct{}{}}
}

// Publish announces an applied command. Events without rows only move the applied index.
func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.applied = e.Index
	close(h.moved)
	h.moved = make(chan struct{})
	if len(e.Rows) == 0 {
		return
	}
	for s := range h.subs {
		e.Lost = s.lost
		select {
		case s.ch <- e:
			s.lost = false
		default:
			s.lost = true
		}
	}
}

// Subscribe gives a channel of events that holds up to size of them, and a function that ends the subscription.
func (h *Hub) Subscribe(size int) (<-chan Event, func()) {
	s := &subscriber{ch: make(chan Event, max(1, size))}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[s] = struct{}{}
	return s.ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, s)
	}
}

// Subscribers is how many watch.
func (h *Hub) Subscribers() int { h.mu.Lock(); defer h.mu.Unlock(); return len(h.subs) }

// Wait returns the applied index as soon as it is above after. Errors: the context's.
func (h *Hub) Wait(ctx context.Context, after uint64) (uint64, error) {
	for {
		h.mu.Lock()
		applied, moved := h.applied, h.moved
		h.mu.Unlock()
		if applied > after {
			return applied, nil
		}
		select {
		case <-ctx.Done():
			return applied, ctx.Err()
		case <-moved:
		}
	}
}
