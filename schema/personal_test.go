package schema

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "张": "*", "张三": "张*", "张小三": "张*三", "欧阳修明": "欧**明", "13812341234": "138****1234", "0512-6801234": "051*****1234", "a": "*",
		"John Smith": "J******h", "wang@example.com": "w***@example.com", "  张小三 ": "张*三", "1234567": "1*****7",
	} {
		if got := Mask(text); got != want {
			t.Errorf("%q: %q, wanted %q", text, got, want)
		}
	}
}

// A mask masked again is the same, and of what is longer than a character something is hidden.
func TestMaskIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[张王李赵欧阳小三四]{1,6}|1[0-9]{10}|[a-zA-Z0-9 *-]{1,30}`).Draw(t, "text")
		once := Mask(text)
		if twice := Mask(once); twice != once {
			t.Errorf("%q: %q, then %q", text, once, twice)
		}
		if strings.TrimSpace(text) != "" && !strings.Contains(once, "*") {
			t.Errorf("%q: %q hides nothing", text, once)
		}
	})
}

// Every field with the option personal is found, wherever it stands; a new one is found without a word here.
func TestEachPersonalFindsWhatTheSchemaMarks(t *testing.T) {
	a := &Alarm{Id: "A", Steps: []*Step{{Actor: "m"}, {Actor: "m", ActorName: "张小三"}}}
	var at []string
	EachPersonal(a, func(p PersonalValue) bool {
		at = append(at, p.Path+"="+p.Text)
		p.Set(Mask(p.Text))
		return true
	})
	if strings.Join(at, " ") != "steps[1].actor_name=张小三" || a.GetSteps()[1].GetActorName() != "张*三" {
		t.Errorf("%v, %v", at, a)
	}
	c := &SpotCheck{Inspectors: []string{"张小三", "李四"}}
	EachPersonal(c, func(p PersonalValue) bool { p.Set(Mask(p.Text)); return true })
	if c.GetInspectors()[0] != "张*三" || c.GetInspectors()[1] != "李*" {
		t.Errorf("%v", c)
	}
	ch := &Channel{AddressSealed: []byte("x")}
	EachPersonal(ch, func(p PersonalValue) bool { p.Drop(); return p.Binary() })
	if ch.GetAddressSealed() != nil {
		t.Errorf("bytes are left: %v", ch)
	}
	for typ, want := range map[string]bool{"Enterprise": true, "Warning": true, "Metric": false, "RiskResult": false, "User": true} {
		m, _ := MetaOf(typ)
		if HoldsPersonal(m.desc) != want {
			t.Errorf("%s: %v", typ, !want)
		}
	}
}
