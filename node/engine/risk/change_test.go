package risk

import (
	"testing"

	"dusthub/node/engine/condition"
)

// TestEveryVariableCanBeChanged: what a model can look at, a question can change, and the snapshot it came of stays as it was.
func TestEveryVariableCanBeChanged(t *testing.T) {
	texts := map[string]string{"grade": "较高", "category": "2", "building": "multi_frame", "measures": "none", "scale": "large", "industry": "machinery"}
	for _, v := range Variables() {
		s := aluminium()
		was := v.Value(s)
		var to any = 1.0
		switch v.Kind {
		case condition.Text:
			to = texts[v.Name]
		case condition.Flag:
			to = true
		}
		got, refused := s.Changed(map[string]any{v.Name: to})
		if v.Name == "dusts" {
			if len(refused) != 1 {
				t.Errorf("the number of dusts was changed by itself: %v", refused)
			}
			continue
		}
		if len(refused) > 0 || v.Value(got) != to {
			t.Errorf("%s: %v, wanted %v; refused %v", v.Name, v.Value(got), to, refused)
		}
		if v.Value(s) != was {
			t.Errorf("%s: the snapshot itself changed to %v", v.Name, v.Value(s))
		}
	}
}

func TestChangesAreRefusedWithEveryReason(t *testing.T) {
	_, refused := aluminium().Changed(map[string]any{
		"nonsense": 1.0, "building": "tent", "measures": "prayer", "T01": 101.0, "workers": -1.0, "stopped": 1.0, "floor.F1": "yes", "M1": "high", "alarms": true, "online_rate": 2.0,
	})
	if len(refused) != 10 {
		t.Errorf("%d refused: %v", len(refused), refused)
	}
	s, refused := aluminium().Changed(map[string]any{"floor.F1": true})
	if len(refused) > 0 || Shipped().Evaluate(s).Floor != "F1" {
		t.Errorf("floor: %v", refused)
	}
}
