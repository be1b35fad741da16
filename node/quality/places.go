package quality

import (
	"cmp"
	"slices"
	"strings"
)

// place is where a plant stands in lists.
type place struct{ region, code string }

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.region, o.region), cmp.Compare(p.code, o.code))
}

// with is a sorted list with a place, without the same without it.
func with(list []place, at place) []place {
	if i, there := slices.BinarySearchFunc(list, at, place.compare); !there {
		return slices.Insert(list, i, at)
	}
	return list
}

func without(list []place, at place) []place {
	if i, there := slices.BinarySearchFunc(list, at, place.compare); there {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// Wanting lists plants of a region that a rule finds wanting, in the order of region and code, after a plant ("" from the first); next is
// where to go on, "" at the end.
func (k *Keeper) Wanting(prefix string, rule int, after string, limit int) (codes []string, next string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	start := place{region: prefix}
	if e := k.state[after]; e != nil {
		start = place{e.region, after + "\x00"}
	}
	list := k.found[uint8(rule)]
	i, _ := slices.BinarySearchFunc(list, start, place.compare)
	for ; i < len(list) && strings.HasPrefix(list[i].region, prefix); i++ {
		if len(codes) == limit {
			return codes, codes[limit-1]
		}
		codes = append(codes, list[i].code)
	}
	return codes, ""
}

// each calls fn for every plant in order, until it returns false. The order is that of the call; plants that came since are left out.
func (k *Keeper) each(fn func(region, code string, connected bool) bool) {
	k.mu.Lock()
	order := slices.Clone(k.order)
	k.mu.Unlock()
	for _, p := range order {
		k.mu.Lock()
		e := k.state[p.code]
		connected := e != nil && e.connected
		k.mu.Unlock()
		if !fn(p.region, p.code, connected) {
			return
		}
	}
}
