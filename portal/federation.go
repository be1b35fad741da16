package portal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"dusthub/node/store"
	"dusthub/schema"
)

// Links are the site's links to its neighbours. Options.Federation gives anything whose JSON has this form.
type Links struct {
	Parent   Maybe[ParentLink] `json:"parent"`
	Children []ChildLink       `json:"children,omitempty"`
}

// ParentLink is the link to the parent.
type ParentLink struct {
	Site      string     `json:"site"`
	Connected bool       `json:"connected"`
	Error     string     `json:"error,omitempty" doc:"why it is not connected"`
	Lanes     []LaneLink `json:"lanes,omitempty"`
}

// ChildLink is the link to a child.
type ChildLink struct {
	Site                *schema.Site `json:"site"`
	Connected           bool         `json:"connected"`
	LastSeen            int64        `json:"last_seen,omitempty"`
	Version             string       `json:"version,omitempty"`
	CertificateDaysLeft int          `json:"certificate_days_left"`
	Lanes               []LaneLink   `json:"lanes,omitempty"`
	Quarantined         int          `json:"quarantined"`
}

// LaneLink is how far one lane of a link is.
type LaneLink struct {
	Lane       string  `json:"lane"`
	Origin     string  `json:"origin,omitempty"`
	Position   uint64  `json:"position"`
	Head       uint64  `json:"head,omitempty"`
	Lag        uint64  `json:"lag,omitempty" doc:"items not acknowledged"`
	LagS       float64 `json:"lag_s,omitempty"`
	Moved      int64   `json:"moved,omitempty" doc:"ms"`
	Checkpoint uint64  `json:"checkpoint,omitempty" doc:"newest verified checkpoint"`
}

// SelfView is where this site stands.
type SelfView struct {
	Site          Site      `json:"site"`
	Epoch         uint64    `json:"epoch"`
	Seq           uint64    `json:"seq"`
	Digest        string    `json:"digest"`
	CheckpointSeq uint64    `json:"checkpoint_seq"`
	Leader        string    `json:"leader"`
	Leading       bool      `json:"leading" doc:"this replica leads"`
	Applied       uint64    `json:"applied"`
	Replicas      []Replica `json:"replicas,omitempty"`
}

// FederationView is this site and its neighbours.
type FederationView struct {
	Self SelfView `json:"self"`
	Links
	Quarantine []*QuarantineView `json:"quarantine,omitempty" doc:"latest 50"`
}

// QuarantineView is something that was refused, and by whom.
type QuarantineView struct {
	*schema.Quarantine
	Origin string `json:"origin"`
}

func quarantineView(r store.Row) *QuarantineView {
	return &QuarantineView{Quarantine: r.Record.(*schema.Quarantine), Origin: r.Origin}
}

func (s *Server) federation(ctx context.Context, v *viewer, _ *none) (*FederationView, error) {
	st := s.opt.Backend.Store()
	head, _ := st.Head(s.opt.Site.ID)
	leader, self := s.opt.Backend.Leader()
	out := &FederationView{Self: SelfView{
		Site: s.opt.Site, Epoch: st.Epoch(), Seq: head.Seq, Digest: hex.EncodeToString(head.Digest[:]), Leader: leader, Leading: self, Applied: st.Applied(), Replicas: []Replica{},
	}}
	if signed, ok, err := st.Signed(s.opt.Site.ID, st.Epoch(), 0); err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	} else if ok {
		out.Self.CheckpointSeq = signed.GetSeq()
	}
	if s.opt.Replicas != nil {
		out.Self.Replicas = s.opt.Replicas()
	}
	var err error
	if out.Links, err = s.links(ctx); err != nil {
		return nil, err
	}
	const latest = 50
	page, err := s.quarantine(ctx, v, &quarantineInput{Limit: latest})
	if err != nil {
		return nil, err
	}
	out.Quarantine = page.Items
	return out, nil
}

// links puts what the federation says of itself into the form of the API. The portal does not import the federation: one
// that has no parent, no children and no federation at all shows the same page.
func (s *Server) links(ctx context.Context) (Links, error) {
	out := Links{}
	if s.opt.Federation == nil {
		return out, nil
	}
	b, err := json.Marshal(s.opt.Federation(ctx))
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return out, fmt.Errorf("state of the federation: %w", err)
	}
	return out, nil
}

type quarantineInput struct {
	Source string `query:"source" doc:"gateway or child site"`
	After  string `query:"after"`
	Limit  int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func quarantineTime(r schema.Record) int64 { return r.(*schema.Quarantine).GetTime() }

func (s *Server) quarantine(ctx context.Context, v *viewer, in *quarantineInput) (*Page[*QuarantineView], error) {
	q := store.Query{Type: "Quarantine", Index: "time"}
	if in.Source != "" {
		q.Index, q.Prefix = "source,time", []string{in.Source}
	}
	rows, next, err := s.list(ctx, newest{
		queries: []store.Query{q}, time: quarantineTime, after: in.After, limit: in.Limit, recent: areaRecent(typeQuarantine, v, len(q.Prefix) > 0),
		keep: func(r store.Row) bool { return s.seesSource(v, r.Record.(*schema.Quarantine).GetSource()) },
	})
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, quarantineView), nil
}

// seesSource says whether a viewer may see what came from a gateway or a site.
func (s *Server) seesSource(v *viewer, source string) bool {
	if v.area() == "" {
		return true
	}
	row, ok, err := s.opt.Backend.Store().Get("Gateway", source)
	return err == nil && ok && s.sees(v, enterpriseOf(row.Record))
}

// OriginCounts is how much is here of one site.
type OriginCounts struct {
	Origin         string `json:"origin"`
	Samples        uint64 `json:"samples"`
	LedgerSeq      uint64 `json:"ledger_seq"`
	Alarms         int    `json:"alarms"`
	AlarmsClosed   int    `json:"alarms_closed" doc:"closed, or found false"`
	Warnings       int    `json:"warnings"`
	WarningsClosed int    `json:"warnings_closed"`
	SpotChecks     int    `json:"spot_checks"`
	Answers        int    `json:"answers"`
}

// CountsView is how much is here of each site.
type CountsView struct {
	Origins []OriginCounts `json:"origins,omitempty"`
	Metrics int            `json:"metrics"`
}

// origins are the sites of which anything is here: this one first.
func (s *Server) origins() []string {
	st := s.opt.Backend.Store()
	heads, sampled := st.Heads(), st.Origins()
	out := make([]string, 0, 1+len(heads)+len(sampled))
	out = append(out, s.opt.Site.ID)
	for _, h := range heads {
		out = append(out, h.Origin)
	}
	out = append(out, sampled...)
	slices.Sort(out[1:])
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(o string) bool {
		again := seen[o] || o == ""
		seen[o] = true
		return again
	})
}

func (s *Server) counts(context.Context, *viewer, *none) (*CountsView, error) {
	st := s.opt.Backend.Store()
	out := &CountsView{Origins: []OriginCounts{}}
	origins := s.origins()
	s.world.view(func() {
		out.Metrics = s.world.metrics
		for _, o := range origins {
			head, _ := st.Head(o)
			c := OriginCounts{Origin: o, Samples: st.SampleCount(o), LedgerSeq: head.Seq}
			if n := s.world.origins[o]; n != nil {
				c.Alarms, c.AlarmsClosed, c.Warnings, c.WarningsClosed, c.SpotChecks, c.Answers = n.alarms, n.alarmsClosed, n.warnings, n.warningsClosed, n.spotChecks, n.answers
			}
			out.Origins = append(out.Origins, c)
		}
	})
	return out, nil
}

type latencyInput struct {
	Type   string `query:"type" enum:"Alarm" default:"Alarm"`
	Origin string `query:"origin"`
	From   int64  `query:"from" doc:"ms; a day ago by default"`
	To     int64  `query:"to" doc:"ms"`
}

// LatencyView is how long alarms took from their onset until this site knew of them.
type LatencyView struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_s"`
	P99   float64 `json:"p99_s"`
	Max   float64 `json:"max_s"`
}

// latency is shared by all who ask the same: it reads every alarm of the time.
func (s *Server) latency(ctx context.Context, _ *viewer, in *latencyInput) (*LatencyView, error) {
	return s.latencies.get(ctx, *in, func(ctx context.Context) (*LatencyView, error) { return s.countLatency(ctx, in) })
}

func (s *Server) countLatency(ctx context.Context, in *latencyInput) (*LatencyView, error) {
	from := in.From
	if from == 0 {
		from = s.nowMs() - dayMs
	}
	if to := in.To; to != 0 && to-from > statisticsMost || to == 0 && s.nowMs()-from > statisticsMost {
		return nil, invalid("query.from", "a time of at most 366 days before to", in.From)
	}
	var seconds []float64
	err := s.opt.Backend.Store().Each(ctx, store.Query{Type: "Alarm", Index: "onset", From: from, To: in.To}, func(r store.Row) (bool, error) {
		if in.Origin == "" || r.Origin == in.Origin {
			seconds = append(seconds, float64(r.Here-alarmOnset(r.Record))/1000)
		}
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read alarms: %w", err)
	}
	slices.Sort(seconds)
	out := &LatencyView{Count: len(seconds)}
	if n := len(seconds); n > 0 {
		out.P50, out.P99, out.Max = quantile(seconds, 0.50), quantile(seconds, 0.99), seconds[n-1]
	}
	return out, nil
}

// quantile of sorted values, the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func (d *door) federationRoutes() {
	s := d.s
	handle(d, "federation", s.federation)
	handle(d, "quarantine", s.quarantine)
	handle(d, "counts", s.counts)
	handle(d, "latency", s.latency)
}

// local says whether records of the type never leave the site.
func local(typ string) bool {
	m, ok := schema.MetaOf(typ)
	return !ok || m.Scope == schema.Scope_SCOPE_LOCAL
}

// inArea says whether a viewer may see a record: by its plant, or by its source, or because it is nobody's in particular.
func (s *Server) inArea(v *viewer, r schema.Record) bool {
	if q, ok := r.(*schema.Quarantine); ok {
		return s.seesSource(v, q.GetSource())
	}
	if !ofPlants(schema.TypeOf(r)) {
		return true
	}
	return s.sees(v, enterpriseOf(r))
}
