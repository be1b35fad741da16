package portal

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
)

// The hub is watched once for all event streams (T2: 20,000 of them). A change is encoded once, put into the buffer of each
// topic whose viewers may hear of it, and every stream of a topic gets the same bytes: written straight to its connection where that takes
// them. A stream holds a few such buffers otherwise; one that falls behind loses some and is told to read anew, and nobody waits for it.

const (
	streamQueue  = 16                    // buffers a slow browser may be behind
	fanoutHeld   = 1 << 13               // events of the hub that may wait
	fanoutBatch  = 512                   // events that go out together
	fanoutPause  = 20 * time.Millisecond // between two batches: under load, more goes out together
	fanoutPart   = 256                   // streams that are worth a goroutine
	topicsOfARow = 6
)

// topic is what a stream may hear of: a region (by the beginning of its code; "" is all) or a plant.
type topic struct {
	portal Portal
	of     string
}

func topicOf(v *viewer) topic {
	if v.portal == Enterprise {
		return topic{Enterprise, v.user.GetEnterprise()}
	}
	return topic{Regulator, v.area()}
}

// fanout hands changes to streams.
type fanout struct {
	s       *Server
	metrics atomic.Uint64 // grows when a metric's record changes
	mu      sync.RWMutex
	by      map[topic]map[*stream]struct{}
}

func newFanout(s *Server) *fanout { return &fanout{s: s, by: map[topic]map[*stream]struct{}{}} }

func (f *fanout) join(st *stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by[st.topic] == nil {
		f.by[st.topic] = map[*stream]struct{}{}
	}
	f.by[st.topic][st] = struct{}{}
}

func (f *fanout) part(st *stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if delete(f.by[st.topic], st); len(f.by[st.topic]) == 0 {
		delete(f.by, st.topic)
	}
}

// end closes the connections of all streams, so that none is held by a browser that does not read.
func (f *fanout) end() {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, list := range f.by {
		for st := range list {
			st.conn.Close()
		}
	}
}

// run hands on what the hub tells until the context ends.
func (f *fanout) run(ctx context.Context, events <-chan live.Event) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			batch := []live.Event{e}
			for len(events) > 0 && len(batch) < fanoutBatch {
				batch = append(batch, <-events)
			}
			f.hand(batch)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(fanoutPause):
		}
	}
}

// hand gives a batch to all streams that may hear of it.
func (f *fanout) hand(batch []live.Event) {
	start := time.Now()
	lost := false
	out := map[topic][]byte{}
	for _, t := range f.topics() {
		out[t] = nil
	}
	for _, e := range batch {
		lost = lost || e.Lost
		for _, r := range e.Rows {
			f.add(out, r)
		}
	}
	for t, buf := range out {
		if len(buf) > 0 || lost {
			offerAll(f.of(t), buf, lost)
		}
	}
	f.s.metrics.fanout.Observe(time.Since(start).Seconds())
}

// of are the streams of a topic.
func (f *fanout) of(t topic) []*stream {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Collect(maps.Keys(f.by[t]))
}

// offerAll hands a buffer to many streams, on all processors.
func offerAll(list []*stream, buf []byte, lost bool) {
	var group sync.WaitGroup
	for part := range slices.Chunk(list, max(fanoutPart, (len(list)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))) {
		group.Go(func() {
			for _, st := range part {
				st.offer(buf, lost)
			}
		})
	}
	group.Wait()
}

func (f *fanout) topics() []topic {
	f.mu.RLock()
	defer f.mu.RUnlock()
	out := make([]topic, 0, len(f.by))
	for t := range f.by {
		out = append(out, t)
	}
	return out
}

// add encodes a row once and puts it into the buffers of the topics it concerns.
func (f *fanout) add(out map[topic][]byte, r store.Row) {
	if r.Type == "Metric" {
		f.metrics.Add(1)
	}
	if local(r.Type) && r.Type != "Delivery" {
		return
	}
	var event []byte
	put := func(t topic) {
		buf, open := out[t]
		if !open {
			return
		}
		if event == nil {
			var err error
			event, err = encodeEvent("change", ChangeEvent{Type: r.Type, Key: r.Key, Origin: r.Origin, Enterprise: enterpriseOf(r.Record), Seq: r.Seq, Time: r.Time, Deleted: r.Record == nil})
			if err != nil {
				f.s.log.Error("encode event", "type", r.Type, "err", err)
				return
			}
		}
		out[t] = append(buf, event...)
	}
	topics, everywhere := f.concerned(r)
	for _, t := range topics {
		put(t)
	}
	if !everywhere {
		return
	}
	for t := range out {
		if t.portal == Regulator {
			put(t)
		}
	}
}

// concerned are the topics that may hear of a row; everywhere: all regulators instead. A deleted row no longer says whose it was:
// only who sees all hears of it.
func (f *fanout) concerned(r store.Row) (topics []topic, everywhere bool) {
	if r.Record == nil {
		return []topic{{Regulator, ""}}, false
	}
	plant := enterpriseOf(r.Record)
	if q, ok := r.Record.(*schema.Quarantine); ok {
		row, _, err := f.s.opt.Backend.Store().Get("Gateway", q.GetSource())
		if err == nil {
			plant = enterpriseOf(row.Record)
		}
	} else if d, ok := r.Record.(*schema.Delivery); ok && !f.s.worksAt(d.GetLogin(), plant) {
		topics = make([]topic, 0, topicsOfARow) // a plant does not hear which regulators are called
	} else if !ofPlants(r.Type) {
		return nil, true
	} else {
		topics = append(make([]topic, 0, topicsOfARow), topic{Enterprise, plant})
	}
	topics = append(topics, topic{Regulator, ""})
	if region, ok := f.s.world.regionOf(plant); ok && len(region) == regionDigits {
		for n := partDigits; n <= regionDigits; n += partDigits {
			topics = append(topics, topic{Regulator, region[:n]})
		}
	}
	return topics, false
}
