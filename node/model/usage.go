package model

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"dusthub/schema"
)

// Operations, as the usage log names them.
const (
	OpEvaluate = "evaluate"
	OpBatch    = "batch"
	OpStream   = "stream"
	OpWhatIf   = "what_if"
	OpExplain  = "explain"
	OpBackTest = "back_test"
	OpReplay   = "replay"
)

const (
	flushEvery  = 10 * time.Second
	flushWithin = 5 * time.Second
	usesKept    = 8192 // lines that are not written yet; beyond, further ones are counted as lost
	actorSite   = "site"
)

var beijing = time.FixedZone("Asia/Shanghai", 8*3600)

// note counts a use in memory; Run writes it.
func (s *Service) note(caller, operation, version string, plants int, refused bool, took time.Duration) {
	s.calls.WithLabelValues(operation, map[bool]string{true: "refused", false: "done"}[refused]).Inc()
	day := s.opt.Now().In(beijing).Format(time.DateOnly)
	id := fmt.Sprintf("%s/%s/%s/%s/%s", day, caller, operation, version, s.opt.Replica)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uses[id]
	if u == nil {
		if len(s.uses) >= usesKept {
			s.lost.Inc()
			return
		}
		u = &schema.ModelUse{Id: id, Day: day, Caller: caller, Operation: operation, Model: version}
		s.uses[id] = u
	}
	u.Calls++
	if refused {
		u.Refused++
		return
	}
	u.Plants += uint64(plants)
	u.CpuMs += took.Milliseconds()
}

// Run writes what was used, now and then, until the context ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			s.flush(last)
			return nil
		case <-tick.C:
			s.flush(ctx)
		}
	}
}

func (s *Service) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushWithin)
	defer cancel()
	if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
		s.opt.Logger.Warn("usage of the model is not written yet", "err", err)
	}
}

// Flush writes the usage counted so far, in one command however many calls there were. What could not be written is kept.
func (s *Service) Flush(ctx context.Context) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	uses := s.uses
	s.uses = map[string]*schema.ModelUse{}
	s.mu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	err := s.writeUses(ctx, uses)
	if err != nil {
		s.restore(uses)
	}
	return err
}

func (s *Service) writeUses(ctx context.Context, uses map[string]*schema.ModelUse) error {
	put := &schema.Put{}
	for _, id := range slices.Sorted(maps.Keys(uses)) {
		u := uses[id]
		row, ok, err := s.opt.Store.Get("ModelUse", id)
		if err != nil {
			return fmt.Errorf("read usage: %w", err)
		}
		sum := addUse(&schema.ModelUse{Id: u.GetId(), Day: u.GetDay(), Caller: u.GetCaller(), Operation: u.GetOperation(), Model: u.GetModel()}, u)
		if ok {
			addUse(sum, row.Record.(*schema.ModelUse))
		}
		raw, err := schema.Marshal(sum)
		if err != nil {
			return err
		}
		put.Changes = append(put.Changes, &schema.Change{Type: "ModelUse", Record: raw})
	}
	res, err := s.opt.Proposer.Propose(ctx, &schema.Command{Actor: actorSite, Body: &schema.Command_Put{Put: put}})
	if err != nil {
		return fmt.Errorf("write usage: %w", err)
	}
	if schema.Refuses(res.GetViolations()) {
		return fmt.Errorf("write usage: %v", res.GetViolations())
	}
	return nil
}

func addUse(to, u *schema.ModelUse) *schema.ModelUse {
	to.Calls += u.GetCalls()
	to.Plants += u.GetPlants()
	to.Refused += u.GetRefused()
	to.CpuMs += u.GetCpuMs()
	return to
}

func (s *Service) restore(uses map[string]*schema.ModelUse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, u := range uses {
		if newer := s.uses[id]; newer != nil {
			addUse(newer, u)
		} else {
			s.uses[id] = u
		}
	}
}
