package replay

import (
	"context"
	"errors"
	"fmt"

	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"
)

// ErrBusy says that another back-test runs: one at a time.
var ErrBusy = errors.New("replay: another back-test is under way")

// atOnce are the plants whose histories are in memory together: one pass over the ledger reads so many.
const atOnce = 100

// mostChanged bounds the list of plants in the answer; the counts are of all.
const mostChanged = 1000

// BackTest is what a draft would have made of the past beside the model in force.
type BackTest struct {
	Plants   int              `json:"plants"`
	Failed   int              `json:"failed,omitempty" doc:"plants that could not be judged, such as those with too much history"`
	Differ   int              `json:"differ" doc:"plants whose level would have been another at some time"`
	Changed  []Changed        `json:"changed,omitempty" doc:"the first thousand of them"`
	Warnings Both[int]        `json:"warnings"`
	Levels   Both[LevelCount] `json:"levels" doc:"plants by their level at the end"`
	Models   Both[string]     `json:"models"`
}

// Both is a figure by the model in force and by the draft.
type Both[T any] struct {
	Running T `json:"running"`
	Draft   T `json:"draft"`
}

// LevelCount counts plants by level.
type LevelCount map[string]int

// Changed is a plant whose level would have been another, when it first was.
type Changed struct {
	Enterprise string `json:"enterprise"`
	Name       string `json:"name"`
	Running    string `json:"running,omitempty" table:"level" doc:"absent: not judged then"`
	Draft      string `json:"draft,omitempty" table:"level"`
	At         int64  `json:"at"`
}

// Question asks for a back-test.
type Question struct {
	Running, Draft *risk.Model
	From, To       int64
	Step           int64                         // ms between looks at the clock; 0: ten seconds
	Wanted         func(*schema.Enterprise) bool // nil: all plants
}

const defaultStep = 10_000

// BackTest judges an interval of many plants by two models and compares. progress is called now and then; its error ends the work, as
// the context does. Memory is bounded by the histories of a hundred plants. Errors: ErrInterval, ErrBusy, ErrTooMuch.
func (r *Replayer) BackTest(ctx context.Context, q Question, progress func(done, total int) error) (*BackTest, error) {
	if err := r.interval(q.From, q.To); err != nil {
		return nil, err
	}
	select {
	case r.backing <- struct{}{}:
		defer func() { <-r.backing }()
	default:
		return nil, ErrBusy
	}
	plants, err := r.plants(ctx, q.Wanted)
	if err != nil {
		return nil, err
	}
	if q.Step == 0 {
		q.Step = defaultStep
	}
	out := &BackTest{Changed: []Changed{}, Models: Both[string]{q.Running.Version, q.Draft.Version}, Levels: Both[LevelCount]{LevelCount{}, LevelCount{}}}
	for done := 0; done < len(plants); {
		n := done + 1
		for n < len(plants) && n-done < atOnce && plants[n].origin == plants[done].origin {
			n++
		}
		if err := r.backTest(ctx, &q, plants[done:n], out, func(i int) error { return progress(done+i, len(plants)) }); err != nil {
			return nil, err
		}
		done = n
	}
	return out, nil
}

// candidate is a plant of a back-test.
type candidate struct {
	origin, code, name, region string
}

func (r *Replayer) plants(ctx context.Context, wanted func(*schema.Enterprise) bool) ([]candidate, error) {
	by := map[string][]candidate{}
	var origins []string
	n := 0
	err := r.opt.Store.Each(ctx, store.Query{Type: "Enterprise"}, func(row store.Row) (bool, error) {
		e := row.Record.(*schema.Enterprise)
		if wanted != nil && !wanted(e) {
			return true, nil
		}
		if n++; n > r.opt.Plants {
			return false, fmt.Errorf("%w: more than %d plants", ErrTooMuch, r.opt.Plants)
		}
		if by[row.Origin] == nil {
			origins = append(origins, row.Origin)
		}
		by[row.Origin] = append(by[row.Origin], candidate{row.Origin, e.GetCode(), e.GetName(), e.GetRegion()})
		return true, nil
	})
	var out []candidate
	for _, o := range origins {
		out = append(out, by[o]...)
	}
	return out, err
}

// backTest judges the plants of one pass over a ledger.
func (r *Replayer) backTest(ctx context.Context, q *Question, plants []candidate, out *BackTest, progress func(int) error) error {
	if err := progress(0); err != nil {
		return err
	}
	list := make([]*history, len(plants))
	for i, p := range plants {
		list[i] = &history{plant: p.code, origin: p.origin, from: q.From, to: q.To, warm: r.opt.WarmUp.Milliseconds()}
	}
	if err := r.read(ctx, plants[0].origin, list, q.To); err != nil {
		return err
	}
	for i, h := range list {
		running, err := r.again(ctx, h, plants[i].region, q.Running, q.Step)
		if err == nil {
			var draft *run
			if draft, err = r.again(ctx, h, plants[i].region, q.Draft, q.Step); err == nil {
				out.count(&plants[i], q.From, &running.out, &draft.out)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			out.Failed++
		}
		list[i] = nil // its changes are not needed any more
		if err := progress(i + 1); err != nil {
			return err
		}
	}
	return nil
}

// count adds what became of a plant by either model.
func (b *BackTest) count(p *candidate, from int64, running, draft *Track) {
	b.Plants++
	b.Warnings.Running += len(warningsOf(running))
	b.Warnings.Draft += len(warningsOf(draft))
	if l := running.last(); l != "" {
		b.Levels.Running[l]++
	}
	if l := draft.last(); l != "" {
		b.Levels.Draft[l]++
	}
	c := Changed{Enterprise: p.code, Name: p.name, Running: running.Level, Draft: draft.Level, At: from}
	i, k := 0, 0
	for c.Running == c.Draft && (i < len(running.Risk) || k < len(draft.Risk)) {
		var at int64
		if k == len(draft.Risk) || i < len(running.Risk) && running.Risk[i].Time <= draft.Risk[k].Time {
			at = running.Risk[i].Time
		} else {
			at = draft.Risk[k].Time
		}
		for ; i < len(running.Risk) && running.Risk[i].Time == at; i++ {
			c.Running = running.Risk[i].Record.GetLevel()
		}
		for ; k < len(draft.Risk) && draft.Risk[k].Time == at; k++ {
			c.Draft = draft.Risk[k].Record.GetLevel()
		}
		c.At = at
	}
	if c.Running == c.Draft {
		return
	}
	b.Differ++
	if len(b.Changed) < mostChanged {
		b.Changed = append(b.Changed, c)
	}
}

func (t *Track) last() string {
	if n := len(t.Risk); n > 0 {
		return t.Risk[n-1].Record.GetLevel()
	}
	return t.Level
}
