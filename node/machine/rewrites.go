package machine

import (
	"slices"
	"strings"

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
	// A leader that loses its office may still have said what the next one went beyond: what is sent would be sent again.
	"Delivery": {"life_cycle", "a delivery that goes on: nothing finished is begun again, tries never fall, only the finished is deleted", (*turn).overDelivery},
}

// rewrites refuses a command that would take back what its records say already. Whether it does only the rows know: the
// refusal is remembered until the next checkpoint.
func (t *turn) rewrites(put *schema.Put) bool {
	if t.replay {
		typ, key, found := strings.Cut(t.memory.owner(t.index, 0), "/")
		if found {
			t.refuse(final[typ].rule, key, final[typ].wanted)
		}
		return found
	}
	for _, c := range put.GetChanges() {
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

func (t *turn) overEntry(c *schema.Change) (string, bool) {
	entry := &schema.AuditEntry{}
	if c.GetDeleted() || proto.Unmarshal(c.GetRecord(), entry) != nil {
		return "", false // the engine says what is wrong with it
	}
	_, ok, err := t.batch.Get(c.GetType(), entry.GetId())
	return entry.GetId(), ok || err != nil
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
