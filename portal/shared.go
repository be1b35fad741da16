package portal

import (
	"context"
	"sync"
	"time"
)

// shared keeps answers for a short time, so that all who ask the same get the one that was computed: who asks while it is
// computed waits for it.
type shared[K comparable, V any] struct {
	now  func() time.Time
	keep time.Duration
	most int // answers held at once
	mu   sync.Mutex
	by   map[K]*share[V]
}

type share[V any] struct {
	turn   chan struct{} // holds one token; who has it computes or reads
	at     time.Time
	answer V
}

func newShared[K comparable, V any](now func() time.Time, keep time.Duration, most int) *shared[K, V] {
	return &shared[K, V]{now: now, keep: keep, most: most, by: map[K]*share[V]{}}
}

// get is the answer to key, at most keep old. An error is not kept.
func (c *shared[K, V]) get(ctx context.Context, key K, compute func(context.Context) (V, error)) (answer V, err error) {
	e := c.entry(key)
	select {
	case <-e.turn:
	case <-ctx.Done():
		return answer, ctx.Err()
	}
	defer func() { e.turn <- struct{}{} }()
	if c.now().Sub(e.at) < c.keep {
		return e.answer, nil
	}
	if answer, err = compute(ctx); err != nil {
		return answer, err
	}
	e.at, e.answer = c.now(), answer
	return answer, nil
}

func (c *shared[K, V]) entry(key K) *share[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[key]
	if e == nil {
		if len(c.by) >= c.most {
			clear(c.by)
		}
		e = &share[V]{turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		c.by[key] = e
	}
	return e
}
