package portal

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"dusthub/node/report"
	"dusthub/portal/document"
	"dusthub/schema"
)

// TestReports: a report is made once, of a period that is over and a region of one's own; whoever sees its whole region reads and prints it (F2.5).
func TestReports(t *testing.T) {
	s := newSite(t)
	made := func(login, kind, region string, day int64) reply {
		return s.as(login, http.MethodPost, "/api/v1/reports", map[string]any{"kind": kind, "region": region, "day": day})
	}
	today := s.now().UnixMilli()
	yesterday := s.now().Add(-24 * time.Hour).UnixMilli()
	for _, c := range []struct {
		name, login, kind, region string
		day                       int64
		status                    int
	}{
		{"not over", "province", "daily", "320000", today, http.StatusUnprocessableEntity},
		{"no region", "province", "daily", "329999", yesterday, http.StatusUnprocessableEntity},
		{"another province", "province", "daily", "330000", yesterday, http.StatusForbidden},
		{"more than one's own", "suzhou", "daily", "320000", yesterday, http.StatusForbidden},
		{"no kind", "province", "yearly", "320000", yesterday, http.StatusUnprocessableEntity},
		{"not a regulator", "security", "daily", "320000", yesterday, http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := made(c.login, c.kind, c.region, c.day); got.status != c.status {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	var whole, again, city ReportView
	made("province", "daily", "", yesterday).into(t, &whole)
	s.pass(time.Minute)
	made("ministry", "daily", "320000", yesterday).into(t, &again)
	made("suzhou", "weekly", "", s.now().Add(-8*24*time.Hour).UnixMilli()).into(t, &city)
	if whole.Actor != "province" || again.Actor != "province" || again.Made != whole.Made || whole.Region != "320000" || city.Region != "320500" || whole.Figures == nil {
		t.Errorf("%+v %+v %+v", whole.ReportRow, again.ReportRow, city.ReportRow)
	}
	for login, want := range map[string]int{"ministry": 2, "province": 2, "suzhou": 1} {
		var page Page[*ReportRow]
		s.as(login, http.MethodGet, "/api/v1/reports", nil).into(t, &page)
		if len(page.Items) != want {
			t.Errorf("%s sees %d", login, len(page.Items))
		}
	}
	var page Page[*ReportRow]
	s.as("province", http.MethodGet, "/api/v1/reports?kind=daily&limit=1", nil).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].ID != whole.ID || page.Next != "" {
		t.Errorf("%+v", page)
	}
	for _, format := range []string{"", "/export?format=xlsx", "/export?format=pdf"} {
		if got := s.as("suzhou", http.MethodGet, "/api/v1/reports/"+whole.ID+format, nil); got.status != http.StatusNotFound {
			t.Errorf("another's report %s: %d", format, got.status)
		}
	}
}

// TestReportExport: the same report gives the same file every time, and the audit keeps each.
func TestReportExport(t *testing.T) {
	s := newSite(t)
	var made ReportView
	s.as("province", http.MethodPost, "/api/v1/reports", map[string]any{"kind": "daily", "day": s.now().Add(-24 * time.Hour).UnixMilli()}).into(t, &made)
	path := "/api/v1/reports/" + made.ID + "/export?format="
	first, second := s.as("province", http.MethodGet, path+"xlsx", nil), s.as("ministry", http.MethodGet, path+"xlsx", nil)
	if first.status != http.StatusOK || !bytes.Equal(first.body, second.body) || first.header.Get("Content-Type") != workbookType || !strings.Contains(first.header.Get("Content-Disposition"), ".xlsx") {
		t.Errorf("%d %v", first.status, first.header)
	}
	pdf := s.as("province", http.MethodGet, path+"pdf", nil)
	if document.Ready() != nil && os.Getenv("REQUIRED") == "" {
		if p := pdf.problem(t); pdf.status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "make build") {
			t.Errorf("without its font: %d %s", pdf.status, pdf.body)
		}
	} else if pdf.status != http.StatusOK || !bytes.HasPrefix(pdf.body, []byte("%PDF-")) || pdf.header.Get("Content-Type") != "application/pdf" {
		t.Errorf("%d %v", pdf.status, pdf.header)
	}
	var audit Page[*schema.AuditEntry]
	s.as("audit", http.MethodGet, "/api/v1/audit?action=report-export", nil).into(t, &audit)
	if len(audit.Items) < 2 {
		t.Errorf("%d exports in the audit", len(audit.Items))
	}
}

// TestReportsRegion: what a region is to reports and to the portal is the same.
func TestReportsRegion(t *testing.T) {
	for _, region := range []string{"", "320000", "320500", "320505", "100000", "110101"} {
		if report.Prefix(region) != regionPrefix(region) {
			t.Errorf("%s: %q %q", region, report.Prefix(region), regionPrefix(region))
		}
	}
}
