package portal

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
)

// What is read again and again is kept once in a while; so many readers are remembered at once.
const (
	readAgain   = 10 * time.Minute
	readEntries = 20000
	auditWithin = 5 * time.Second
	maxSubject  = 200
	maxExport   = 100_000 // rows of one file
)

// reads remembers which reads of personal data are in the audit already.
type reads struct {
	mu sync.Mutex
	at map[string]int64
}

// news says whether a read is to be kept, and remembers it.
func (r *reads) news(key string, now int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.at[key]; ok && now-last < readAgain.Milliseconds() {
		return false
	}
	if r.at == nil || len(r.at) >= readEntries {
		r.at = map[string]int64{} // kept once too often rather than not
	}
	r.at[key] = now
	return true
}

// witness keeps in the audit what a person did: every change that was tried, every read of personal data, every export.
func (s *Server) witness(ctx context.Context, v *viewer, a Access, path string, status int) {
	done := status < http.StatusBadRequest
	change := a.Method != http.MethodGet
	switch {
	case change && (!a.told || !done):
	case a.personal && done && (strings.HasSuffix(a.ID, "-export") || s.reads.news(v.user.GetLogin()+" "+path, s.nowMs())):
	default:
		return
	}
	result := "ok"
	if !done {
		result = "refused " + strconv.Itoa(status)
	}
	if v.key != nil {
		result += " key " + v.key.GetId()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditWithin)
	defer cancel()
	s.audit(ctx, v.user.GetLogin(), a.ID, clip(strings.TrimPrefix(path, "/api/v1"), maxSubject), result, v.address)
}

type auditInput struct {
	Actor   string `query:"actor" maxLength:"64"`
	Subject string `query:"subject" maxLength:"200"`
	Action  string `query:"action" maxLength:"64"`
	Result  string `query:"result" maxLength:"64" doc:"beginning of the result, such as ok, failed, refused"`
	From    int64  `query:"from" doc:"ms"`
	To      int64  `query:"to" doc:"ms, exclusive"`
	After   string `query:"after"`
	Limit   int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func auditTime(r schema.Record) int64 { return r.(*schema.AuditEntry).GetTime() }

func (in *auditInput) query() store.Query {
	q := store.Query{Type: "AuditEntry", Index: "time", From: in.From, To: in.To}
	switch {
	case in.Actor != "":
		q.Index, q.Prefix = "actor,time", []string{in.Actor}
	case in.Subject != "":
		q.Index, q.Prefix = "subject,time", []string{in.Subject}
	}
	return q
}

func (in *auditInput) keep(r store.Row) bool {
	e := r.Record.(*schema.AuditEntry)
	return (in.Actor == "" || e.GetActor() == in.Actor) && (in.Subject == "" || e.GetSubject() == in.Subject) &&
		(in.Action == "" || e.GetAction() == in.Action) && strings.HasPrefix(e.GetResult(), in.Result)
}

// searchAudit is open to the audit administrator alone (T3, GB/T 22239-2019 8.1.4.3).
func (s *Server) searchAudit(ctx context.Context, _ *viewer, in *auditInput) (*Page[*schema.AuditEntry], error) {
	rows, next, err := s.list(ctx, newest{queries: []store.Query{in.query()}, time: auditTime, after: in.After, limit: in.Limit, keep: in.keep})
	if err != nil {
		return nil, err
	}
	page := &Page[*schema.AuditEntry]{Items: []*schema.AuditEntry{}, Next: next}
	for _, r := range rows {
		page.Items = append(page.Items, r.Record.(*schema.AuditEntry))
	}
	return page, nil
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// plain keeps a spreadsheet from taking a cell for a formula.
func plain(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// exportAudit gives what a search finds, oldest first, as CSV with a mark that lets a spreadsheet know it is UTF-8.
func (s *Server) exportAudit(ctx context.Context, v *viewer, in *auditInput) (*fileOutput, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	veil := &mask{s: s, v: v}
	rows := [][]string{{"time", "actor", "action", "subject", "result", "address", "before", "after", "reason", "id"}}
	err := s.opt.Backend.Store().Each(ctx, in.query(), func(r store.Row) (bool, error) {
		if in.keep(r) {
			e := veil.record(r.Record).(*schema.AuditEntry)
			row := []string{time.UnixMilli(e.GetTime()).UTC().Format(time.RFC3339), e.GetActor(), e.GetAction(), e.GetSubject(), e.GetResult(), e.GetAddress(), e.GetBefore(), e.GetAfter(), e.GetReason(), e.GetId()}
			for i := range row {
				row[i] = plain(row[i])
			}
			rows = append(rows, row)
		}
		return len(rows) <= maxExport+1, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read audit: %w", err)
	}
	if len(rows) > maxExport+1 {
		return nil, invalid("query.from", fmt.Sprintf("a time with at most %d entries", maxExport), in.From)
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("write CSV: %w", err)
	}
	return &fileOutput{ContentType: "text/csv; charset=utf-8", Disposition: `attachment; filename="audit.csv"`, Body: b.Bytes()}, nil
}

func (d *door) auditRoutes() {
	handle(d, "audit", d.s.searchAudit)
	handleRaw(d, "audit-export", d.s.exportAudit)
}
