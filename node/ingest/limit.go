package ingest

import (
	"sync"
	"time"
)

// limiter gives every key a bucket that fills at rate a second up to burst.
type limiter struct {
	rate, burst float64
	now         func() time.Time
	mu          sync.Mutex
	buckets     map[string]*bucket
}

type bucket struct {
	level float64
	at    time.Time
}

const bucketsKept = 16384

func newLimiter(rate, burst float64, now func() time.Time) *limiter {
	return &limiter{rate: rate, burst: burst, now: now, buckets: map[string]*bucket{}}
}

// take takes n out of a key's bucket and returns 0, or returns how long to wait until it could. What is larger than the burst
// needs a full bucket and leaves a debt.
func (l *limiter) take(key string, n float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= bucketsKept {
			l.sweep(now)
		}
		b = &bucket{level: l.burst, at: now}
		l.buckets[key] = b
	}
	l.fill(b, now)
	if wait := l.missing(b, n); wait > 0 {
		return wait
	}
	b.level -= n
	return 0
}

// wait says how long until n could be taken, and takes nothing.
func (l *limiter) wait(key string, n float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		return 0
	}
	l.fill(b, l.now())
	return l.missing(b, n)
}

func (l *limiter) fill(b *bucket, now time.Time) {
	b.level = min(l.burst, b.level+now.Sub(b.at).Seconds()*l.rate)
	b.at = now
}

func (l *limiter) missing(b *bucket, n float64) time.Duration {
	if missing := min(n, l.burst) - b.level; missing > 0 {
		return max(time.Millisecond, time.Duration(missing/l.rate*float64(time.Second)))
	}
	return 0
}

// sweep drops the buckets that are full again; should none be, all of them.
func (l *limiter) sweep(now time.Time) {
	for k, b := range l.buckets {
		if b.level+now.Sub(b.at).Seconds()*l.rate >= l.burst {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) >= bucketsKept {
		clear(l.buckets)
	}
}
