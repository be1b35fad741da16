package portal

import (
	"context"
	"fmt"

	"dusthub/node/store"
	"dusthub/schema"
)

// ShelfView is a shelf with the names a person reads.
type ShelfView struct {
	Shelf          *schema.Shelf `json:"shelf"`
	EnterpriseName string        `json:"enterprise_name"`
	CollectorName  string        `json:"collector_name,omitempty"`
	MetricName     string        `json:"metric_name,omitempty"`
	KindName       string        `json:"kind_name"`
	InForce        bool          `json:"in_force" doc:"approved and begun; a condition is not looked at"`
	Origin         string        `json:"origin"`
	Here           bool          `json:"here" doc:"it belongs to this site and is approved here"`
	Known          int64         `json:"known"`
}

var (
	openShelfStages = []string{"requested", "approved"}
	shelfStages     = []string{"requested", "approved", "refused", "ended"}
)

func shelfFrom(r schema.Record) int64 { return r.(*schema.Shelf).GetFrom() }

func (s *Server) shelfView(r store.Row) *ShelfView {
	h, now := r.Record.(*schema.Shelf), s.nowMs()
	return &ShelfView{
		Shelf: h, EnterpriseName: s.world.nameOf(h.GetEnterprise()), CollectorName: s.nameOf("Collector", h.GetCollector()), MetricName: s.nameOf("Metric", h.GetMetric()),
		KindName: schema.CodeName("shelf_kind", h.GetKind()), InForce: h.GetStage() == "approved" && h.GetFrom() <= now && now < h.GetUntil(),
		Origin: r.Origin, Here: r.Origin == s.opt.Site.ID, Known: r.Here,
	}
}

type shelvesInput struct {
	Stage      string `query:"stage" enum:"open,requested,approved,refused,ended" doc:"open: requested or approved"`
	Enterprise string `query:"enterprise"`
	Metric     string `query:"metric"`
	Kind       string `query:"kind" enum:"maintenance,out_of_service,design"`
	After      string `query:"after" doc:"cursor"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) shelves(ctx context.Context, v *viewer, in *shelvesInput) (*Page[*ShelfView], error) {
	enterprise, stages := only(v, in.Enterprise), shelfStages
	switch in.Stage {
	case "":
	case "open":
		stages = openShelfStages
	default:
		stages = []string{in.Stage}
	}
	queries := stagedQueries("Shelf", "from", enterprise, "open", stages, 0, 0)
	rows, next, err := s.list(ctx, newest{
		queries: queries, time: shelfFrom, after: in.After, limit: in.Limit, recent: areaRecent(typeShelf, v, enterprise != ""), byPlant: noted[typeShelf].byPlant,
		keep: func(r store.Row) bool {
			h := r.Record.(*schema.Shelf)
			return inStage(h.GetStage(), in.Stage, openShelfStages) && (in.Metric == "" || h.GetMetric() == in.Metric) && (in.Kind == "" || h.GetKind() == in.Kind) && s.sees(v, h.GetEnterprise())
		},
	})
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, s.shelfView), nil
}

type shelfInput struct {
	Body struct {
		Enterprise string `json:"enterprise,omitempty" maxLength:"32" doc:"needed on the regulator portal"`
		Collector  string `json:"collector,omitempty" maxLength:"32" doc:"neither collector nor metric: the whole plant"`
		Metric     string `json:"metric,omitempty" maxLength:"32"`
		Kind       string `json:"kind" enum:"maintenance,out_of_service,design"`
		Reason     string `json:"reason" minLength:"1" maxLength:"500"`
		From       int64  `json:"from,omitempty" doc:"ms; now when it is left out"`
		Until      int64  `json:"until" doc:"ms"`
		Condition  string `json:"condition,omitempty" maxLength:"1000" doc:"kind design: alarms are suppressed only while this expression holds"`
	}
}

// plantHere reads a plant that a viewer names, his own when he is of one, and that belongs to this site.
func (s *Server) plantHere(v *viewer, code string) (string, error) {
	code = only(v, code)
	row, err := s.enterpriseRow(v, code)
	if err != nil {
		return "", err
	}
	return row.Key, s.ownHere(row)
}

// plantID names a record of a plant that this site makes.
func (s *Server) plantID(enterprise, letter string) string {
	return fmt.Sprintf("%s-%s", enterprise, s.freshID(letter))
}

func (s *Server) createShelf(ctx context.Context, v *viewer, in *shelfInput) (*ShelfView, error) {
	b := in.Body
	enterprise, err := s.plantHere(v, b.Enterprise)
	if err != nil {
		return nil, err
	}
	h := &schema.Shelf{
		Id: s.plantID(enterprise, "H"), Enterprise: enterprise, Collector: b.Collector, Metric: b.Metric, Kind: b.Kind, Reason: b.Reason, From: b.From, Until: b.Until,
		Condition: b.Condition, Stage: "requested", Actor: v.user.GetLogin(),
	}
	if h.GetFrom() == 0 {
		h.From = s.nowMs()
	}
	if v.portal == Regulator {
		h.Stage = "approved"
	}
	if _, err := s.put(ctx, v.user, s.created(h)); err != nil {
		return nil, err
	}
	row, err := s.record(v, "Shelf", h.GetId())
	if err != nil {
		return nil, err
	}
	return s.shelfView(row), nil
}

type shelfActionInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Action string `json:"action" enum:"approve,refuse,end"`
		Text   string `json:"text,omitempty" maxLength:"2000"`
	}
}

func (d *door) shelfRoutes() {
	s := d.s
	handle(d, "shelves", s.shelves)
	handle(d, "shelf-create", s.createShelf)
	handle(d, "shelf", func(_ context.Context, v *viewer, in *idInput) (*ShelfView, error) {
		row, err := s.record(v, "Shelf", in.ID)
		if err != nil {
			return nil, err
		}
		return s.shelfView(row), nil
	})
	handle(d, "shelf-action", func(ctx context.Context, v *viewer, in *shelfActionInput) (*ShelfView, error) {
		row, err := s.record(v, "Shelf", in.ID)
		if err != nil {
			return nil, err
		}
		if row, err = s.act(ctx, v, row, &schema.Act{Action: in.Body.Action, Text: in.Body.Text}); err != nil {
			return nil, err
		}
		return s.shelfView(row), nil
	})
}
