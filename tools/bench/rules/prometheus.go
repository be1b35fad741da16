package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// prometheus judges the load by a rule manager's group over a TSDB, as a Prometheus server does.
func prometheus(ctx context.Context, l load) (spent time.Duration, alerts int, err error) {
	dir, err := os.MkdirTemp("", "rules")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	db, err := tsdb.Open(dir, promslog.NewNopLogger(), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return 0, 0, fmt.Errorf("open the TSDB: %w", err)
	}
	defer db.Close()
	db.DisableCompactions() // none falls into the measured time by chance
	group, alerting, err := groupOf(ctx, db)
	if err != nil {
		return 0, 0, err
	}
	series := make([]labels.Labels, 0, l.series())
	for p := range l.plants {
		for c := range l.collectors {
			for k := range perPlant {
				plant := fmt.Sprintf("32050503%04d", p+1)
				series = append(series, labels.FromStrings(model.MetricNameLabel, "t01", "collector", fmt.Sprintf("C%03d", c+1), "enterprise", plant, "metric", fmt.Sprintf("%sC%03dT01%02d", plant, c+1, k+1)))
			}
		}
	}
	refs := make([]storage.SeriesRef, len(series))
	now := start
	for round := range warmUp + l.rounds {
		now += step
		app := db.Appender(ctx)
		for i, s := range series {
			if refs[i], err = app.Append(refs[i], s, now, l.value(i, round)); err != nil {
				return 0, 0, fmt.Errorf("append: %w", err)
			}
		}
		if err = app.Commit(); err != nil {
			return 0, 0, fmt.Errorf("append: %w", err)
		}
		if round == warmUp {
			runtime.GC()
		}
		at := time.UnixMilli(now)
		d, err := timed(func() error { group.Eval(ctx, at); return nil })
		if err != nil {
			return 0, 0, err
		}
		if round >= warmUp {
			spent += d
		}
		for _, r := range alerting {
			if r.LastError() != nil {
				return 0, 0, fmt.Errorf("rule %s: %w", r.Name(), r.LastError())
			}
			for _, a := range r.ActiveAlerts() {
				if a.State == rules.StateFiring && a.FiredAt.Equal(at) {
					alerts++
				}
			}
		}
	}
	return spent, alerts, nil
}

// groupOf makes the group of the five rules.
func groupOf(ctx context.Context, db *tsdb.DB) (*rules.Group, []*rules.AlertingRule, error) {
	const samples, timeout = 50_000_000, 2 * time.Minute
	p := parser.NewParser(parser.Options{})
	e := promql.NewEngine(promql.EngineOpts{Logger: promslog.NewNopLogger(), MaxSamples: samples, Timeout: timeout, Parser: p})
	var list []rules.Rule
	var alerting []*rules.AlertingRule
	for name, text := range map[string]string{
		"HH": fmt.Sprintf("t01 >= %v", limitHH), "H": fmt.Sprintf("t01 >= %v", limitH), "L": fmt.Sprintf("t01 <= %v", limitL), "LL": fmt.Sprintf("t01 <= %v", limitLL),
		"over_range": "t01 > 200 or t01 < -20",
	} {
		expr, err := p.ParseExpr(text)
		if err != nil {
			return nil, nil, fmt.Errorf("rule %s: %w", name, err)
		}
		r := rules.NewAlertingRule(name, expr, hold, 0, labels.FromStrings("severity", name), labels.EmptyLabels(), labels.EmptyLabels(), "", true, promslog.NewNopLogger())
		list, alerting = append(list, r), append(alerting, r)
	}
	return rules.NewGroup(rules.GroupOptions{
		Name: "bench", File: "bench", Interval: time.Duration(step) * time.Millisecond, Rules: list,
		Opts: &rules.ManagerOptions{
			Context: ctx, QueryFunc: rules.EngineQueryFunc(e, db), NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, AppendableV2: db, Queryable: db,
			Logger: promslog.NewNopLogger(), ExternalURL: &url.URL{}, NameValidationScheme: model.UTF8Validation,
		},
	}), alerting, nil
}
