package portal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"dusthub/crypto/sm"
	"dusthub/schema"
)

type drawInput struct {
	Body struct {
		Preview    bool         `json:"preview,omitempty" doc:"only say who would be drawn"`
		Seed       string       `json:"seed,omitempty" maxLength:"64" doc:"made here when it is not given"`
		Count      int          `json:"count" minimum:"1" maximum:"200" doc:"plants; their spot checks are written in one command"`
		Criteria   drawCriteria `json:"criteria,omitempty" doc:"the pool; without any, all plants in sight"`
		Inspectors []string     `json:"inspectors,omitempty" maxItems:"100" doc:"names"`
		PerPlant   int          `json:"per_plant,omitempty" minimum:"0" maximum:"10" doc:"inspectors of each plant, 2 when not given"`
		Title      string       `json:"title" minLength:"1" maxLength:"100"`
		Text       string       `json:"text,omitempty" maxLength:"2000"`
		Due        int64        `json:"due,omitempty" doc:"ms"`
	}
}

// drawCriteria are the dimensions of a search (clause F2.4), named as the parameters of GET /enterprises.
type drawCriteria struct {
	Region         string `json:"region,omitempty" maxLength:"400" doc:"GB/T 2260; several with commas"`
	Level          string `json:"level,omitempty" maxLength:"40" doc:"levels, with commas"`
	Q              string `json:"q,omitempty" maxLength:"100" doc:"part of the name, the code or the unified social credit code"`
	Industry       string `json:"industry,omitempty" maxLength:"200"`
	Dust           string `json:"dust,omitempty" maxLength:"200"`
	DustCategory   string `json:"dust_category,omitempty" maxLength:"200"`
	MinWorkers     int32  `json:"min_workers,omitempty" minimum:"0"`
	MaxWorkers     *int32 `json:"max_workers,omitempty" minimum:"0" maximum:"1000000"`
	Online         string `json:"online,omitempty" enum:"true,false"`
	Alarm          string `json:"alarm,omitempty" enum:"true,false"`
	AlarmLevel     int32  `json:"alarm_level,omitempty" minimum:"0" maximum:"2"`
	AlarmOverdue   string `json:"alarm_overdue,omitempty" enum:"true,false"`
	Warning        string `json:"warning,omitempty" enum:"true,false"`
	WarningOverdue string `json:"warning_overdue,omitempty" enum:"true,false"`
}

// search is the question that lists the pool.
func (c drawCriteria) search() *enterprisesInput {
	in := &enterprisesInput{
		Region: c.Region, Level: c.Level, Q: c.Q, Industry: c.Industry, Dust: c.Dust, DustCategory: c.DustCategory, MinWorkers: c.MinWorkers, MaxWorkers: -1, Online: c.Online,
		Alarm: c.Alarm, AlarmLevel: c.AlarmLevel, AlarmOverdue: c.AlarmOverdue, Warning: c.Warning, WarningOverdue: c.WarningOverdue,
	}
	if c.MaxWorkers != nil {
		in.MaxWorkers = *c.MaxWorkers
	}
	return in
}

// text is how a record keeps the criteria: as the query of GET /enterprises that lists the pool.
func (c drawCriteria) text() string {
	q := url.Values{}
	of := reflect.ValueOf(c)
	for i, f := range reflect.VisibleFields(of.Type()) {
		if value := of.Field(i); !value.IsZero() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			q.Set(name, fmt.Sprint(reflect.Indirect(value)))
		}
	}
	return q.Encode()
}

// DrawView is what was drawn.
type DrawView struct {
	ID         string      `json:"id,omitempty" doc:"of the batch; not of a preview"`
	Seed       string      `json:"seed"`
	Criteria   string      `json:"criteria"`
	Pool       int         `json:"pool" doc:"plants that could be drawn"`
	PoolDigest string      `json:"pool_digest" doc:"SM3 of their codes, sorted, a line each"`
	Drawn      []DrawnView `json:"drawn" nullable:"false"`
}

// DrawnView is a drawn plant.
type DrawnView struct {
	Place          int      `json:"place" doc:"from 1"`
	Enterprise     string   `json:"enterprise"`
	EnterpriseName string   `json:"enterprise_name"`
	RegionName     string   `json:"region_name"`
	Inspectors     []string `json:"inspectors,omitempty"`
	SpotCheck      string   `json:"spot_check,omitempty"`
	origin         string
}

// drawSpotChecks draws plants and who inspects them (双随机), and sends each a spot check.
func (s *Server) drawSpotChecks(ctx context.Context, v *viewer, in *drawInput) (*DrawView, error) {
	b := &in.Body
	now := s.nowMs()
	if b.Due != 0 && b.Due <= now {
		return nil, invalid("body.due", "a time to come", b.Due)
	}
	if b.Seed == "" {
		b.Seed = rand.Text()
	}
	if b.PerPlant == 0 {
		b.PerPlant = 2
	}
	for i, name := range b.Inspectors {
		if n := len([]rune(name)); strings.TrimSpace(name) == "" || n > 50 || slices.Contains(b.Inspectors[:i], name) {
			return nil, invalid(fmt.Sprintf("body.inspectors[%d]", i), "a name of at most 50 characters, once", name)
		}
	}
	pool := s.pool(v, b.Criteria)
	if len(pool) == 0 {
		return nil, problem(http.StatusUnprocessableEntity, codeRefused, "no plant in sight meets the criteria")
	}
	out := &DrawView{Seed: b.Seed, Criteria: b.Criteria.text(), Pool: len(pool), PoolDigest: poolDigest(pool), Drawn: []DrawnView{}}
	for i, p := range draw(b.Seed, pool, b.Count, func(p DrawnView) string { return p.Enterprise }) {
		p.Place = i + 1
		p.Inspectors = draw(b.Seed+"/"+p.Enterprise, b.Inspectors, b.PerPlant, func(name string) string { return name })
		out.Drawn = append(out.Drawn, p)
	}
	if b.Preview {
		return out, nil
	}
	return out, s.sendDrawn(ctx, v, in, out, now)
}

// sendDrawn sends every drawn plant its spot check, all or none.
func (s *Server) sendDrawn(ctx context.Context, v *viewer, in *drawInput, out *DrawView, now int64) error {
	out.ID = s.freshID("D")
	changes := make([]*schema.Change, 0, len(out.Drawn))
	for i := range out.Drawn {
		p := &out.Drawn[i]
		check := s.newCheck(v, p.Enterprise, in.Body.Title, in.Body.Text, now, in.Body.Due)
		check.Inspectors = p.Inspectors
		check.Draw = &schema.Draw{
			Id: out.ID, Seed: out.Seed, Criteria: out.Criteria, Pool: int32(out.Pool), PoolDigest: out.PoolDigest, Drawn: int32(len(out.Drawn)), Place: int32(p.Place),
		}
		p.SpotCheck = check.GetId()
		changes = append(changes, s.sent(check, p.origin))
	}
	_, err := s.put(ctx, v.user, changes...)
	return err
}

// pool are the plants in sight that meet the criteria, by code.
func (s *Server) pool(v *viewer, c drawCriteria) []DrawnView {
	in := c.search()
	var out []DrawnView
	s.world.view(func() {
		for _, p := range s.world.index.matching(in, v.area()) {
			e := p.enterprise
			out = append(out, DrawnView{Enterprise: e.GetCode(), EnterpriseName: e.GetName(), RegionName: schema.RegionName(e.GetRegion()), origin: p.origin})
		}
	})
	slices.SortFunc(out, func(a, b DrawnView) int { return strings.Compare(a.Enterprise, b.Enterprise) })
	return out
}

func poolDigest(pool []DrawnView) string {
	h := sm.NewSM3()
	for _, p := range pool {
		fmt.Fprintln(h, p.Enterprise)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// draw takes so many of a list: those whose SM3 of seed and key is least, in that order. Anybody can do it again.
func draw[T any](seed string, list []T, count int, key func(T) string) []T {
	type lot struct {
		digest [sm.DigestSize]byte
		of     T
	}
	lots := make([]lot, 0, len(list))
	for _, x := range list {
		lots = append(lots, lot{sm.SM3([]byte(seed + "/" + key(x))), x})
	}
	slices.SortFunc(lots, func(a, b lot) int { return bytes.Compare(a.digest[:], b.digest[:]) })
	out := make([]T, 0, count)
	for _, l := range lots[:min(count, len(lots))] {
		out = append(out, l.of)
	}
	return out
}
