package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// figures are what a run gave. Those of VictoriaMetrics are 0 when it was not there.
type figures struct {
	VictoriaMetrics bool `json:"victoria_metrics"`

	Ingest       []turn `json:"ingest"`
	PeerIngest   []turn `json:"vm_ingest,omitempty"`
	MemoryMB     int    `json:"memory_mb"`
	PeerMemoryMB int    `json:"vm_memory_mb,omitempty"`

	Backfill                turn    `json:"backfill"`
	PeerBackfill            turn    `json:"vm_backfill"`
	Backfilled              int     `json:"backfilled_samples"`
	BytesPerSample          float64 `json:"bytes_per_sample"`
	PeerBytesPerSample      float64 `json:"vm_bytes_per_sample,omitempty"`
	PeerIndexBytesPerSample float64 `json:"vm_index_bytes_per_sample,omitempty"`

	LatestSeries int     `json:"latest_series"`
	LatestMs     float64 `json:"latest_p50_ms"`
	PeerLatestMs float64 `json:"vm_latest_p50_ms,omitempty"`

	AlarmP50      float64 `json:"alarm_p50_ms"`
	AlarmP99      float64 `json:"alarm_p99_ms"`
	LoadedP50     float64 `json:"alarm_loaded_p50_ms"`
	LoadedP99     float64 `json:"alarm_loaded_p99_ms"`
	LoadPerSecond float64 `json:"alarm_load_samples_per_second"`

	UplinkSamples      int     `json:"uplink_samples"`
	UplinkPerSecond    float64 `json:"uplink_samples_per_second"`
	UplinkPerCPUSecond float64 `json:"uplink_samples_per_cpu_second"`
}

func (f *figures) print(w io.Writer, o options) error {
	if o.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(f); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\tdusthub\tVictoriaMetrics\tdusthub / VictoriaMetrics\n")
	row := func(name string, ours, theirs float64, format func(float64) string) {
		if theirs == 0 {
			fmt.Fprintf(t, "%s\t%s\t-\t-\n", name, format(ours))
			return
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\n", name, format(ours), format(theirs), ours/theirs)
	}
	speed := func(t turn) float64 { return t.PerSecond }
	work := func(t turn) float64 { return t.PerCPUSecond }
	row("ingest, samples/s (median turn)", median(f.Ingest, speed), median(f.PeerIngest, speed), thousands)
	row("ingest, samples / server CPU s", median(f.Ingest, work), median(f.PeerIngest, work), thousands)
	row("memory after that, MB", float64(f.MemoryMB), float64(f.PeerMemoryMB), plainly)
	row("two hours sent late, samples/s", f.Backfill.PerSecond, f.PeerBackfill.PerSecond, thousands)
	row("two hours sent late, samples / server CPU s", f.Backfill.PerCPUSecond, f.PeerBackfill.PerCPUSecond, thousands)
	row("bytes a sample on the disk", f.BytesPerSample, f.PeerBytesPerSample, finely)
	row(fmt.Sprintf("newest values of %d series, ms p50", f.LatestSeries), f.LatestMs, f.PeerLatestMs, finely)
	row("alarm, request -> event stream, ms p50", f.AlarmP50, 0, finely)
	row("alarm, request -> event stream, ms p99", f.AlarmP99, 0, finely)
	row(fmt.Sprintf("the same under %s samples/s, ms p50", thousands(f.LoadPerSecond)), f.LoadedP50, 0, finely)
	row(fmt.Sprintf("the same under %s samples/s, ms p99", thousands(f.LoadPerSecond)), f.LoadedP99, 0, finely)
	row("uplink, samples/s", f.UplinkPerSecond, 0, thousands)
	row("uplink, samples / CPU s of both sites", f.UplinkPerCPUSecond, 0, thousands)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err := fmt.Fprintf(w, "\nturns, samples/s: dusthub %s; VictoriaMetrics %s\n%s", turns(f.Ingest), turns(f.PeerIngest), footnotes)
	if err == nil && !f.VictoriaMetrics {
		_, err = fmt.Fprintln(w, "VictoriaMetrics was not there to be measured beside.")
	}
	return err
}

const footnotes = `An acknowledged sample: dusthub has written and fsynced it (raft log); VictoriaMetrics has it in memory and writes within 5 s, without fsync.
dusthub checks the gateway's credential and each reading, keeps a signed ledger, and judges alarms; VictoriaMetrics does not.
`

func median(turns []turn, of func(turn) float64) float64 {
	if len(turns) == 0 {
		return 0
	}
	var v []float64
	for _, t := range turns {
		v = append(v, of(t))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func turns(all []turn) string {
	var out []string
	for _, t := range all {
		out = append(out, thousands(t.PerSecond))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

func thousands(v float64) string { return fmt.Sprintf("%.0f k", v/1000) }
func plainly(v float64) string   { return fmt.Sprintf("%.0f", v) }
func finely(v float64) string    { return fmt.Sprintf("%.3g", v) }
