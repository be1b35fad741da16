package machine

import (
	"fmt"

	"dusthub/node/engine"
	"dusthub/node/store"
	"dusthub/schema/frame"
)

// resealEvery is how often, by the clock of the commands, partitions of other sites that got late samples are sealed anew.
const resealEvery = 60_000

// frame takes in samples of this site's own series: the engine judges them, the store keeps them. What comes again with
// another value is not kept, and goes to quarantine.
func (t *turn) frame(raw []byte) error {
	if err := wellFormed(raw); err != nil {
		t.refuse("form", err.Error(), "a frame of samples")
		t.takeTime()
		return nil
	}
	goOn, err := t.judge()
	if err != nil || !goOn {
		return err
	}
	a, err := t.append(t.store.Site(), raw)
	if err != nil || a.Conflicted == 0 {
		return err
	}
	list := make([]engine.Conflict, len(a.Conflicts))
	for i, c := range a.Conflicts {
		list[i] = engine.Conflict{Series: c.Series.Series, Time: c.Time, Kept: c.Kept, Got: c.Got}
	}
	return t.effects(t.engine.Conflicts(list, a.Conflicted, t.now))
}

// wellFormed looks at a whole frame before any of it is taken in.
func wellFormed(raw []byte) error {
	n, err := frame.Count(raw)
	if err == nil && n == 0 {
		return fmt.Errorf("no samples")
	}
	return err
}

// append adds a frame to the heads of an origin's series.
func (t *turn) append(origin string, raw []byte) (store.Appended, error) {
	a, err := t.batch.Frame(origin, raw)
	t.res.Stored += uint32(a.Stored)
	t.res.Duplicates += uint32(a.Duplicates)
	t.res.Conflicts += uint32(a.Conflicted)
	t.since += len(raw)
	return a, err
}

// tick lets the engine look at the clock, and now and then seals again what is late of other sites.
func (t *turn) tick() error {
	before := t.engine.Now()
	if _, err := t.judge(); err != nil {
		return err
	}
	if t.replay || before/resealEvery == t.now/resealEvery {
		return nil
	}
	any, err := t.batch.ResealForeign()
	t.whole = t.whole || any
	return err
}
