package portal

import (
	"context"
	"sync"
	"time"
)

// shared keeps answers for a short time, so that all who ask the same get the one that was computed: who asks while it is
// computed waits for it. Where an older answer will do for a while (stale), it is given at once and a newer one is computed behind it,
// so that nobody waits for a count of a whole country but the first who asks for it.
type shared[K comparable, V any] struct {
	now   func() time.Time
	keep  time.Duration
	stale time.Duration // an answer of at most this age is given while it is computed anew; at most keep: never
	most  int           // answers held at once
	mu    sync.Mutex
	by    map[K]*share[V]

	life   context.Context // of what is computed behind answers; nothing is after close
	end    context.CancelFunc
	behind sync.WaitGroup
}

type share[V any] struct {
	turn   chan struct{} // holds one token; who has it computes or reads
	mu     sync.Mutex    // over what follows
	at     time.Time
	answer V
}

func newShared[K comparable, V any](now func() time.Time, keep time.Duration, most int) *shared[K, V] {
	c := &shared[K, V]{now: now, keep: keep, most: most, by: map[K]*share[V]{}}
	c.life, c.end = context.WithCancel(context.Background()) //nolint:gosec // close calls it
	return c
}

// close ends what is computed behind answers: it reads the store, which is closed after the portal.
func (c *shared[K, V]) close() {
	c.end()
	c.behind.Wait()
}

// renewWithin bounds a computation that nobody waits for.
const renewWithin = 5 * time.Minute

// get is the answer to key, at most keep old, or stale. An error is not kept.
func (c *shared[K, V]) get(ctx context.Context, key K, compute func(context.Context) (V, error)) (answer V, err error) {
	e := c.entry(key)
	answer, age, known := e.read(c.now())
	if known && age < c.keep {
		return answer, nil
	}
	if known && age < c.stale {
		select {
		case <-e.turn:
			c.renewBehind(e, compute)
		default: // somebody computes it already
		}
		return answer, nil
	}
	select {
	case <-e.turn:
	case <-ctx.Done():
		return answer, ctx.Err()
	}
	if answer, age, known = e.read(c.now()); known && age < c.keep {
		e.turn <- struct{}{}
		return answer, nil
	}
	return c.renew(ctx, e, compute)
}

// renewBehind computes an answer that nobody waits for. Who asks when the old one is too old is told why there is no new one.
func (c *shared[K, V]) renewBehind(e *share[V], compute func(context.Context) (V, error)) {
	if c.life.Err() != nil {
		e.turn <- struct{}{}
		return
	}
	c.behind.Go(func() {
		ctx, cancel := context.WithTimeout(c.life, renewWithin)
		defer cancel()
		_, _ = c.renew(ctx, e, compute)
	})
}

// renew computes an answer and keeps it. The caller has the turn, which is given back.
func (c *shared[K, V]) renew(ctx context.Context, e *share[V], compute func(context.Context) (V, error)) (V, error) {
	defer func() { e.turn <- struct{}{} }()
	answer, err := compute(ctx)
	if err != nil {
		return answer, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at, e.answer = c.now(), answer
	return answer, nil
}

// read is the answer there is, and how old it is.
func (e *share[V]) read(now time.Time) (answer V, age time.Duration, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.answer, now.Sub(e.at), !e.at.IsZero()
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
