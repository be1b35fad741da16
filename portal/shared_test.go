package portal

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestSharedAnswers(t *testing.T) {
	now := time.UnixMilli(0)
	c := newShared[string, int](func() time.Time { return now }, time.Second, 2)
	computed := 0
	ask := func(key string, err error) (int, error) {
		return c.get(t.Context(), key, func(context.Context) (int, error) { computed++; return computed, err })
	}
	if _, err := ask("a", errors.New("not now")); err == nil {
		t.Fatal("the error was lost")
	}
	for i, step := range []struct {
		key   string
		after time.Duration
		want  int
	}{{"a", 0, 2}, {"a", 999 * time.Millisecond, 2}, {"a", time.Millisecond, 3}, {"b", 0, 4}, {"c", 0, 5}, {"a", 0, 6}} { // the third key throws the others away
		now = now.Add(step.after)
		if got, err := ask(step.key, nil); err != nil || got != step.want {
			t.Errorf("step %d, %s: answer %d (%v), wanted %d", i, step.key, got, err, step.want)
		}
	}
}

func TestSharedAnswerIsComputedOnce(t *testing.T) {
	c := newShared[int, int](time.Now, time.Hour, 8)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var computed int
	var group sync.WaitGroup
	compute := func(context.Context) (int, error) {
		computed++
		close(begun)
		<-goOn
		return computed, nil
	}
	for range 8 {
		group.Go(func() {
			if got, err := c.get(t.Context(), 1, compute); err != nil || got != 1 {
				t.Errorf("answer %d, %v", got, err)
			}
		})
	}
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.get(gone, 1, compute); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone waited: %v", err)
	}
	close(goOn)
	group.Wait()
}

// An old answer is given at once while a newer one is computed behind it, by one of all who ask; too old an answer is waited for.
func TestSharedAnswerIsRenewedBehind(t *testing.T) {
	now := time.UnixMilli(0)
	c := newShared[int, int](func() time.Time { return now }, time.Second, 8)
	c.stale = time.Minute
	var computed int
	goOn := make(chan struct{}, 9)
	compute := func(ctx context.Context) (int, error) {
		select {
		case <-goOn:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		computed++
		return computed, nil
	}
	ask := func(want int) {
		t.Helper()
		if got, err := c.get(t.Context(), 1, compute); err != nil || got != want {
			t.Fatalf("answer %d (%v), wanted %d", got, err, want)
		}
	}
	goOn <- struct{}{}
	ask(1)
	now = now.Add(2 * time.Second)
	ask(1) // nobody lets the newer one be computed, and nobody waits for it
	ask(1)
	goOn <- struct{}{}
	c.behind.Wait()
	ask(2)
	now = now.Add(time.Minute)
	goOn <- struct{}{}
	ask(3)
	now = now.Add(2 * time.Second)
	ask(3)
	c.close() // ends what is computed
	if ask(3); computed != 3 {
		t.Errorf("%d were computed, one of them after the end", computed)
	}
}
