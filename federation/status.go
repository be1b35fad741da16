package federation

import (
	"context"
	"slices"
	"strings"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/rpc"
	"dusthub/sync/lane"
)

// Status is how the links stand, in the form of the portal's API. Connections are those of this replica; positions are the site's.
type Status struct {
	Parent   *ParentStatus `json:"parent"`
	Children []ChildStatus `json:"children"`
}

// ParentStatus is the link to the parent. The leading replica keeps it.
type ParentStatus struct {
	Site      string       `json:"site"`
	Connected bool         `json:"connected"`
	Error     string       `json:"error,omitempty"` // why it is not connected, as last seen
	Lanes     []LaneStatus `json:"lanes"`
}

// ChildStatus is the link to a child.
type ChildStatus struct {
	Site                *schema.Site `json:"site"`
	Connected           bool         `json:"connected"`
	LastSeen            int64        `json:"last_seen"` // ms; 0: not since this replica was started
	Version             string       `json:"version"`
	CertificateDaysLeft int          `json:"certificate_days_left"`
	Lanes               []LaneStatus `json:"lanes"`
	Quarantined         int          `json:"quarantined"`
}

// LaneStatus is how far one lane of one origin is.
type LaneStatus struct {
	Lane       string  `json:"lane"`
	Origin     string  `json:"origin"`
	Position   uint64  `json:"position"`             // taken in and acknowledged
	Head       uint64  `json:"head,omitempty"`       // what there is
	Lag        uint64  `json:"lag,omitempty"`        // Head - Position
	LagS       float64 `json:"lag_s,omitempty"`      // seconds since the position moved, while there is a lag
	Moved      int64   `json:"moved,omitempty"`      // ms
	Checkpoint uint64  `json:"checkpoint,omitempty"` // newest verified
}

func laneStatus(p *schema.Position, head uint64) LaneStatus {
	s := LaneStatus{Lane: p.GetLane(), Origin: p.GetOrigin(), Position: p.GetSeq(), Head: max(head, p.GetSeq()), Moved: p.GetTime(), Checkpoint: p.GetCheckpoint()}
	s.Lag = s.Head - s.Position
	if s.Lag > 0 && s.Moved > 0 {
		s.LagS = time.Since(time.UnixMilli(s.Moved)).Seconds()
	}
	return s
}

// Status tells how the links stand.
func (f *Federation) Status() Status {
	out := Status{Children: []ChildStatus{}}
	f.mu.Lock()
	up := f.up
	known := map[string]child{}
	for name, c := range f.children {
		known[name] = *c
	}
	f.mu.Unlock()
	if f.opt.Parent.Site != "" {
		out.Parent = f.parentStatus(up)
	}
	for _, h := range f.store.Heads() { // those that were here before this replica was started
		o := h.Origin
		if _, ok := known[o]; !ok && o != f.opt.Parent.Site && o != f.self {
			if _, ok, err := f.store.Position(o, o, lane.Events); err == nil && ok {
				known[o] = child{}
			}
		}
	}
	for name, c := range known {
		out.Children = append(out.Children, f.childStatus(name, c))
	}
	slices.SortFunc(out.Children, func(a, b ChildStatus) int { return strings.Compare(a.Site.GetId(), b.Site.GetId()) })
	return out
}

func (f *Federation) parentStatus(up *link) *ParentStatus {
	s := &ParentStatus{Site: f.opt.Parent.Site, Connected: up != nil, Lanes: []LaneStatus{}}
	f.mu.Lock()
	if up == nil && f.ended != nil {
		s.Error = f.ended.Error()
	}
	f.mu.Unlock()
	if up != nil {
		up.mu.Lock()
		taken := make([]*schema.Position, 0, len(up.taken))
		for _, p := range up.taken {
			taken = append(taken, p)
		}
		up.mu.Unlock()
		for _, p := range taken {
			switch p.GetLane() {
			case lane.Events:
				head, _ := f.store.Head(p.GetOrigin())
				s.Lanes = append(s.Lanes, laneStatus(p, head.Seq))
			case lane.Live:
				s.Lanes = append(s.Lanes, laneStatus(p, up.liveHead()))
			}
		}
	}
	return s.sorted(f.positions(f.opt.Parent.Site, nil))
}

// sorted adds what is taken in from the parent and puts the lanes in order.
func (s *ParentStatus) sorted(down []LaneStatus) *ParentStatus {
	s.Lanes = append(s.Lanes, down...)
	slices.SortFunc(s.Lanes, func(a, b LaneStatus) int { return strings.Compare(a.Lane+"/"+a.Origin, b.Lane+"/"+b.Origin) })
	return s
}

// positions are the lanes that a neighbour sends here.
func (f *Federation) positions(site string, head *rpc.Status) []LaneStatus {
	out := []LaneStatus{}
	all, err := f.store.Positions(site)
	if err != nil {
		f.log.Error("read positions", "neighbour", site, "err", err)
		return out
	}
	for _, p := range all {
		at := uint64(0)
		if p.GetOrigin() == site && p.GetLane() == lane.Events {
			at = head.GetEventsHead()
		} else if p.GetLane() == lane.Live {
			at = head.GetLiveHead()
		}
		out = append(out, laneStatus(p, at))
	}
	return out
}

const day = 24 * time.Hour

func (f *Federation) childStatus(name string, c child) ChildStatus {
	s := ChildStatus{
		Site: c.hello.GetRecord(), Connected: c.link != nil, Version: c.hello.GetSoftwareVersion(), Lanes: f.positions(name, c.status),
	}
	if row, ok, err := f.store.Get("Site", name); err == nil && ok {
		s.Site = row.Record.(*schema.Site)
	}
	if s.Site == nil {
		s.Site = &schema.Site{Id: name}
	}
	if !c.seen.IsZero() {
		s.LastSeen = c.seen.UnixMilli()
	}
	for _, l := range s.Lanes {
		s.LastSeen = max(s.LastSeen, l.Moved)
	}
	if !c.notAfter.IsZero() {
		s.CertificateDaysLeft = int(time.Until(c.notAfter) / day)
	}
	n, err := f.store.Count(context.Background(), store.Query{Type: "Quarantine", Index: "source,time", Prefix: []string{name}})
	if err != nil {
		f.log.Error("count quarantine", "neighbour", name, "err", err)
	}
	s.Quarantined = n
	return s
}
