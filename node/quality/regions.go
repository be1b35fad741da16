package quality

import (
	"strings"

	"dusthub/schema"
)

// Digits of a region's code, and of a plant's, with which the codes of what belongs to it begin.
const (
	provinceDigits = 2
	cityDigits     = 4
	countyDigits   = 6
	plantDigits    = 12
)

// Count is how many plants and records a rule finds wanting.
type Count struct{ Plants, Records int }

// sums are a region's.
type sums struct {
	s     schema.Standing
	rules []Count
}

// regionsOf are the regions a plant counts in.
func regionsOf(region string) []string {
	if len(region) != countyDigits {
		return []string{""}
	}
	return []string{"", region[:provinceDigits], region[:cityDigits], region}
}

// count adds a plant's part to its regions, or takes it away. The caller holds mu.
func (k *Keeper) count(e *entry, sign int) {
	one := e.standing()
	for _, r := range regionsOf(e.region) {
		to := k.sums[r]
		if to == nil {
			to = &sums{rules: make([]Count, len(shipped.rules))}
			k.sums[r] = to
		}
		add(&to.s, one, int64(sign))
		for _, c := range e.cells {
			to.rules[c.rule].Plants += sign
			to.rules[c.rule].Records += sign * int(c.records)
		}
	}
}

// Figures is how a region stands.
type Figures struct {
	Standing *schema.Standing
	Rules    []Count // by the number of the rule
	Plants   int     // judged, of the whole site
	Left     int     // of the whole site, to be judged anew
	Done     bool    // every plant was judged at least once
	At       int64   // ms, when the last change was taken in
}

// Region is how a region (0, 2, 4 or 6 digits) stands.
func (k *Keeper) Region(prefix string) Figures {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := Figures{Standing: &schema.Standing{}, Rules: make([]Count, len(shipped.rules)), Plants: len(k.state), Left: len(k.dirty), Done: k.done, At: k.at}
	if s := k.sums[prefix]; s != nil {
		add(out.Standing, &s.s, 1)
		copy(out.Rules, s.rules)
	}
	return out
}

// Parts is how each of a region's parts stands that has plants: of the country its provinces, and so on.
func (k *Keeper) Parts(prefix string) map[string]*schema.Standing {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]*schema.Standing{}
	for r, s := range k.sums {
		if len(r) == len(prefix)+provinceDigits && strings.HasPrefix(r, prefix) && s.s.GetPlants() > 0 {
			out[r] = &schema.Standing{}
			add(out[r], &s.s, 1)
		}
	}
	return out
}
