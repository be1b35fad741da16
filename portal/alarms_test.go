package portal

import (
	"net/http"
	"testing"

	"dusthub/schema"
)

// TestBasePriority: an alarm says what its rule gives it, beside what time has made of it (ISA-18.2; F2.2).
func TestBasePriority(t *testing.T) {
	s := newSite(t)
	s.put(&schema.Alarm{
		Id: "risen", Enterprise: plantA, Metric: plantA + "C001T0101", Kind: "T01", Rule: "H", Level: 1, Onset: beginning, Raised: beginning, Condition: "active", Stage: "raised", Priority: schema.Critical,
	})
	var v AlarmView
	s.must(Regulator, "province", http.MethodGet, "/api/v1/alarms/risen", nil).into(t, &v)
	if v.Alarm.GetPriority() != schema.Critical || v.BasePriority != schema.Medium {
		t.Errorf("%s from %s, wanted critical from medium", v.Alarm.GetPriority(), v.BasePriority)
	}
}
