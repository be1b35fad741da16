package machine

import (
	"slices"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// final are rules of records that only their rows know: what is wrong with writing a change over what is there.
var final = map[string]struct {
	rule, wanted string
	broken       func(t *turn, c *schema.Change) (key string, broken bool)
}{
	// GB/T 22239-2019 8.1.4.3: an audit cannot be changed by anybody.
	"AuditEntry": {"append_only", "a new entry: the audit is never written over", (*turn).overEntry},
	// Two leaders, or a leader and a person, may make the same report: the first is the one.
	"Report": {"append_only", "a new report: there is one for every period and region", (*turn).overReport},
	// A leader that loses its office may still have said what the next one went beyond: what is sent would be sent again.
	"Delivery": {"life_cycle", "a delivery that goes on: nothing finished is begun again, tries never fall, only the finished is deleted", (*turn).overDelivery},
	// GB/T 22239-2019 8.1.4.1 d: what proved somebody once proves nobody again.
	"User": {"used_up", "a second factor that goes on: a code that was used stays used", (*turn).overUser},
}

// ruleOver refuses a change made of what is not there any more: somebody else was quicker, perhaps at another replica.
const ruleOver = "changed_meanwhile"

// rewrites refuses a command that would take back what its records say already. Whether it does only the rows know: the
// refusal is remembered until the next checkpoint.
func (t *turn) rewrites(put *schema.Put) bool {
	if t.replay {
		was := t.memory.owner(t.index, 0)
		if was != "" {
			t.refuse("refused", was, "what was refused once is refused again")
		}
		return was != ""
	}
	for _, c := range put.GetChanges() {
		if key, stale := t.stale(c); stale {
			t.memory.disown(t.index, 0, c.GetType()+"/"+key)
			t.refuse(ruleOver, key, "the record as it is now: read it again")
			return true
		}
		f, ok := final[c.GetType()]
		if !ok {
			continue
		}
		if key, broken := f.broken(t, c); broken {
			t.memory.disown(t.index, 0, c.GetType()+"/"+key)
			t.refuse(f.rule, key, f.wanted)
			return true
		}
	}
	return false
}

// stale says whether a change is made of another entry than the row's.
func (t *turn) stale(c *schema.Change) (string, bool) {
	if c.GetOver() == 0 {
		return "", false
	}
	key := c.GetKey()
	if !c.GetDeleted() {
		rec, err := schema.Decode(c.GetType(), c.GetRecord())
		if err != nil {
			return "", false // the engine says what is wrong with it
		}
		key = schema.KeyOf(rec)
	}
	row, ok, err := t.batch.Get(c.GetType(), key)
	return key, err != nil || !ok || row.Seq != c.GetOver()
}

// overUser finds a second factor that would take again what it took already.
func (t *turn) overUser(c *schema.Change) (string, bool) {
	next := &schema.User{}
	if c.GetDeleted() || proto.Unmarshal(c.GetRecord(), next) != nil {
		return "", false // the engine says what is wrong with it
	}
	row, ok, err := t.batch.Get(c.GetType(), next.GetLogin())
	if err != nil || !ok {
		return next.GetLogin(), err != nil
	}
	old := row.Record.(*schema.User)
	if old.GetTotpSealed() == "" || old.GetTotpSealed() != next.GetTotpSealed() {
		return "", false
	}
	back := slices.ContainsFunc(next.GetRecovery(), func(code string) bool { return !slices.Contains(old.GetRecovery(), code) })
	return next.GetLogin(), back || next.GetTotpStep() < old.GetTotpStep()
}

func (t *turn) overEntry(c *schema.Change) (string, bool) {
	entry := &schema.AuditEntry{}
	if c.GetDeleted() || proto.Unmarshal(c.GetRecord(), entry) != nil {
		return "", false // the engine says what is wrong with it
	}
	_, ok, err := t.batch.Get(c.GetType(), entry.GetId())
	return entry.GetId(), ok || err != nil
}

func (t *turn) overReport(c *schema.Change) (string, bool) {
	r := &schema.Report{Id: c.GetKey()}
	if !c.GetDeleted() && proto.Unmarshal(c.GetRecord(), r) != nil {
		return "", false // the engine says what is wrong with it
	}
	_, ok, err := t.batch.Get(c.GetType(), r.GetId())
	return r.GetId(), ok || err != nil
}

func (t *turn) overDelivery(c *schema.Change) (string, bool) {
	next := &schema.Delivery{Id: c.GetKey()}
	if !c.GetDeleted() && proto.Unmarshal(c.GetRecord(), next) != nil {
		return "", false // the engine says what is wrong with it
	}
	row, ok, err := t.batch.Get(c.GetType(), next.GetId())
	if err != nil || !ok {
		return next.GetId(), err != nil
	}
	old := row.Record.(*schema.Delivery)
	if c.GetDeleted() {
		return old.GetId(), !slices.Contains([]string{"sent", "given_up"}, old.GetStage())
	}
	return old.GetId(), backwards(old, next)
}

// order of a delivery's stages. What was given up may turn out to have been sent, by a leader who was slow to say so.
var order = map[string]int{"queued": 0, "held": 1, "failed": 1, "given_up": 2, "sent": 3}

// backwards says whether a delivery would lose what happened to it. Saying the same again is no loss.
func backwards(old, next *schema.Delivery) bool {
	was, is := order[old.GetStage()], order[next.GetStage()]
	switch {
	case proto.Equal(old, next):
		return false
	case next.GetTries() < old.GetTries() || is < was:
		return true
	}
	return is == was && is != order["failed"] // what waits may wait on
}
