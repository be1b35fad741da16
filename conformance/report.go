package conformance

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Outcome of a check.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped" // Got says why
)

// Result is what became of a check.
type Result struct {
	ID       string  `json:"id"`
	Section  string  `json:"section"` // of docs/protocol.md
	Clause   string  `json:"clause"`  // of the requirements
	Outcome  Outcome `json:"outcome"`
	Sent     string  `json:"sent"`
	Expected string  `json:"expected"`
	Got      string  `json:"got"`
	TookMs   int64   `json:"took_ms"`
}

// Report is what an audit found.
type Report struct {
	Site    string    `json:"site"`
	Addr    string    `json:"addr"`
	Auditor string    `json:"auditor"`
	Epoch   uint64    `json:"epoch"` // of the auditor's ledger
	Begun   time.Time `json:"begun"`
	Passed  int       `json:"passed"`
	Failed  int       `json:"failed"`
	Skipped int       `json:"skipped"`
	Left    string    `json:"left,omitempty"` // what the auditor could not tidy up
	Results []Result  `json:"results"`
}

func (r *Report) count() {
	of := map[Outcome]int{}
	for _, x := range r.Results {
		of[x.Outcome]++
	}
	r.Passed, r.Failed, r.Skipped = of[Passed], of[Failed], of[Skipped]
}

// WriteTable writes the report for people: a line a check, and under those that failed what was sent, expected and came.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "site %s at %s, audited by %s (epoch %d) on %s\n\n", r.Site, r.Addr, r.Auditor, r.Epoch, r.Begun.Format(time.RFC3339))
	for _, x := range r.Results {
		fmt.Fprintf(t, "%s\t%s\tsection %s\t%d ms\t%s\n", x.Outcome, x.ID, x.Section, x.TookMs, short(x))
	}
	fmt.Fprintf(t, "\n%d passed, %d failed, %d skipped\n", r.Passed, r.Failed, r.Skipped)
	for _, x := range r.Results {
		if x.Outcome == Failed {
			fmt.Fprintf(t, "\nFAILED %s (section %s)\n  sent: %s\n  expected: %s\n  came: %s\n", x.ID, x.Section, x.Sent, x.Expected, x.Got)
		}
	}
	if r.Left != "" {
		fmt.Fprintln(t, "\n"+r.Left)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// short is what a line of the table says: why a check was skipped; what failed has its own place.
func short(x Result) string {
	if x.Outcome == Skipped {
		return x.Got
	}
	return ""
}
