package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dusthub/node/report"
	"dusthub/node/store"
	"dusthub/portal/document"
	"dusthub/portal/print"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
)

// printSlots is how many PDFs are made at once: each reads the whole font.
const printSlots = 2

// ReportRow is a report as lists show it.
type ReportRow struct {
	ID         string `json:"id"`
	Kind       string `json:"kind" enum:"daily,weekly,monthly"`
	Region     string `json:"region,omitempty" doc:"empty: the whole country"`
	RegionName string `json:"region_name,omitempty"`
	From       int64  `json:"from"`
	Until      int64  `json:"until" doc:"not included"`
	Made       int64  `json:"made"`
	Actor      string `json:"actor" doc:"site: by schedule"`
	Alarms     int    `json:"alarms"`
	Warnings   int    `json:"warnings"`
	Red        int    `json:"red" doc:"plants at major risk at the end"`
}

// ReportView is a report and its figures.
type ReportView struct {
	ReportRow
	Figures *report.Figures `json:"figures"`
}

func reportView(r *schema.Report) (*ReportView, error) {
	f, err := report.Read(r)
	if err != nil {
		return nil, err
	}
	v := &ReportView{ReportRow{
		ID: r.GetId(), Kind: r.GetKind(), Region: r.GetRegion(), RegionName: f.RegionName, From: r.GetFrom(), Until: r.GetUntil(), Made: r.GetMade(), Actor: r.GetActor(),
		Alarms: f.Alarms.Count, Warnings: f.Warnings.Count,
	}, f}
	if f.Now != nil {
		v.Red = f.Now.Red
	}
	return v, nil
}

// readsReport says whether a viewer may read a report: its whole region lies in his area.
func readsReport(v *viewer, r *schema.Report) bool {
	return strings.HasPrefix(report.Prefix(r.GetRegion()), v.area())
}

func reportScope(s *Server, v *viewer, param func(string) string) error {
	_, err := s.reportOf(v, param("id"))
	return err
}

func (s *Server) reportOf(v *viewer, id string) (*schema.Report, error) {
	row, ok, err := s.opt.Backend.Store().Get("Report", id)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	if !ok || !readsReport(v, row.Record.(*schema.Report)) {
		return nil, notFound("Report", id)
	}
	return row.Record.(*schema.Report), nil
}

type reportsInput struct {
	Kind   string `query:"kind" enum:"daily,weekly,monthly"`
	Region string `query:"region" maxLength:"6" doc:"GB/T 2260: reports of this region and of its parts"`
	From   int64  `query:"from" doc:"ms, periods that begin not before"`
	To     int64  `query:"to" doc:"ms, periods that begin before"`
	After  string `query:"after"`
	Limit  int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) reports(ctx context.Context, v *viewer, in *reportsInput) (*Page[*ReportRow], error) {
	q := store.Query{Type: "Report", Index: "from", From: in.From, To: in.To}
	if in.Kind != "" {
		q.Index, q.Prefix = "kind,from", []string{in.Kind}
	}
	prefix := regionPrefix(in.Region)
	rows, next, err := s.list(ctx, newest{
		queries: []store.Query{q}, time: func(r schema.Record) int64 { return r.(*schema.Report).GetFrom() }, after: in.After, limit: in.Limit,
		keep: func(r store.Row) bool {
			x := r.Record.(*schema.Report)
			return readsReport(v, x) && strings.HasPrefix(report.Prefix(x.GetRegion()), prefix)
		},
	})
	if err != nil {
		return nil, err
	}
	out := &Page[*ReportRow]{Items: []*ReportRow{}, Next: next}
	for _, r := range rows {
		view, err := reportView(r.Record.(*schema.Report))
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, &view.ReportRow)
	}
	return out, nil
}

type reportInput struct {
	ID string `path:"id" maxLength:"40"`
}

func (s *Server) report(_ context.Context, v *viewer, in *reportInput) (*ReportView, error) {
	r, err := s.reportOf(v, in.ID)
	if err != nil {
		return nil, err
	}
	return reportView(r)
}

type reportMakeInput struct {
	Body struct {
		Kind   string `json:"kind" enum:"daily,weekly,monthly"`
		Region string `json:"region,omitempty" maxLength:"6" doc:"GB/T 2260; empty is all the viewer may see"`
		Day    int64  `json:"day" doc:"ms, a time in the period, which must be over"`
	}
}

// makeReport makes a report now. A viewer makes those of his own area and its parts.
func (s *Server) makeReport(ctx context.Context, v *viewer, in *reportMakeInput) (*ReportView, error) {
	region := in.Body.Region
	if region == "" {
		if region = v.user.GetRegion(); v.area() == "" {
			region = s.opt.Site.Region
		}
	}
	if region != "" && schema.RegionName(region) == region {
		return nil, invalid("body.region", "a GB/T 2260 code", region)
	}
	asked := report.Prefix(region)
	if !strings.HasPrefix(asked, v.area()) || !strings.HasPrefix(asked, report.Prefix(s.opt.Site.Region)) {
		return nil, problem(http.StatusForbidden, codeForbidden, "the region %s is not yours: choose one within your own", region)
	}
	p := report.PeriodOf(report.Kind(in.Body.Kind), time.UnixMilli(in.Body.Day))
	r, err := s.opt.Reports.Make(ctx, p, region, v.user.GetLogin())
	if errors.Is(err, report.ErrNotOver) {
		return nil, invalid("body.day", "a period that is over: this one ends at "+p.Until.Format("2006-01-02 15:04"), in.Body.Day)
	}
	if err != nil {
		return nil, err
	}
	return reportView(r)
}

type reportExportInput struct {
	ID     string `path:"id" maxLength:"40"`
	Format string `query:"format" enum:"pdf,xlsx" default:"pdf"`
}

// exportReport prints a report, on whichever replica it is asked for.
func (s *Server) exportReport(ctx context.Context, v *viewer, in *reportExportInput) (*huma.StreamResponse, error) {
	r, err := s.reportOf(v, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Format == "xlsx" {
		var b bytes.Buffer
		if err := print.Workbook(&b, r); err != nil {
			return nil, fmt.Errorf("write workbook: %w", err)
		}
		return s.file(print.Name(r)+".xlsx", workbookType, b.Bytes()), nil
	}
	select {
	case s.printing <- struct{}{}:
		defer func() { <-s.printing }()
	case <-ctx.Done():
		return nil, unavailable("too many documents are being made at the moment")
	}
	b, err := print.PDF(r)
	if errors.Is(err, document.ErrFont) {
		return nil, unavailable("this program was built without its font, so it makes no PDF: build it with make build; the workbook (format=xlsx) can be had")
	}
	if err != nil {
		return nil, fmt.Errorf("print report: %w", err)
	}
	return s.file(print.Name(r)+".pdf", "application/pdf", b), nil
}

func (d *door) reportRoutes() {
	handle(d, "reports", d.s.reports)
	handle(d, "report", d.s.report)
	handle(d, "report-make", d.s.makeReport)
	handleRaw(d, "report-export", d.s.exportReport)
}
