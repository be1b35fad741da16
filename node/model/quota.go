package model

import (
	"fmt"
	"sync"
	"time"
)

// Quota bounds what one caller may ask.
type Quota struct {
	Rate       float64 // plants judged a second, on average
	Burst      float64 // at once
	Concurrent int     // calls under way
	Batch      int     // plants in one call
}

// QuotaError says that a caller asked too much, and when to ask again.
type QuotaError struct {
	Reason     string
	RetryAfter time.Duration
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("quota: %s; again in %s", e.Reason, e.RetryAfter.Round(time.Millisecond))
}

// callersKept bounds the memory of callers; those that rest are forgotten first.
const callersKept = 4096

// gate keeps every caller to the quota.
type gate struct {
	quota Quota
	now   func() time.Time
	mu    sync.Mutex
	by    map[string]*account
}

type account struct {
	level float64
	at    time.Time
	busy  int
}

func newGate(q Quota, now func() time.Time) *gate {
	return &gate{quota: q, now: now, by: map[string]*account{}}
}

// enter begins a call; leave must follow unless it is refused.
func (g *gate) enter(caller string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.account(caller)
	switch {
	case a == nil:
		return &QuotaError{Reason: "too many callers at once", RetryAfter: time.Second}
	case a.busy >= g.quota.Concurrent:
		return &QuotaError{Reason: fmt.Sprintf("%d calls are under way, at most %d at once", a.busy, g.quota.Concurrent), RetryAfter: time.Second}
	}
	a.busy++
	return nil
}

func (g *gate) leave(caller string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.by[caller]; a != nil {
		a.busy--
	}
}

// take takes n plants out of the caller's allowance.
func (g *gate) take(caller string, n int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.account(caller)
	if a == nil {
		return &QuotaError{Reason: "too many callers at once", RetryAfter: time.Second}
	}
	want := min(float64(n), g.quota.Burst) // more than the burst needs all of it and leaves a debt
	if missing := want - a.level; missing > 0 {
		return &QuotaError{Reason: fmt.Sprintf("%v plants a second", g.quota.Rate), RetryAfter: max(time.Millisecond, time.Duration(missing/g.quota.Rate*float64(time.Second)))}
	}
	a.level -= float64(n)
	return nil
}

// account is a caller's, filled up to now; nil when there is no room for another caller.
func (g *gate) account(caller string) *account {
	now := g.now()
	a := g.by[caller]
	if a == nil {
		if len(g.by) >= callersKept {
			for name, old := range g.by {
				if old.busy == 0 && old.level+now.Sub(old.at).Seconds()*g.quota.Rate >= g.quota.Burst {
					delete(g.by, name)
				}
			}
		}
		if len(g.by) >= callersKept {
			return nil
		}
		a = &account{level: g.quota.Burst, at: now}
		g.by[caller] = a
	}
	a.level = min(g.quota.Burst, a.level+now.Sub(a.at).Seconds()*g.quota.Rate)
	a.at = now
	return a
}
