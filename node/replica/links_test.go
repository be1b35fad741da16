package replica

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestLinksAreTheLeaders: whichever replica is asked, the leader answers; without one, nobody does.
func TestLinksAreTheLeaders(t *testing.T) {
	c := newCluster(t, 3, nil)
	for _, m := range c.members {
		id := m.opt.Self.ID
		m.r.TellLinks(func() ([]byte, error) { return []byte(id), nil })
	}
	// Who has not heard who leads says so, and leadership may move while they are asked: what counts is what they settle on.
	agree := func() (lead *member, answers []string) {
		lead = c.leader(t)
		for _, m := range c.members {
			got, err := m.r.Links(t.Context())
			answers = append(answers, fmt.Sprint(string(got), " ", err))
		}
		return lead, answers
	}
	deadline := time.Now().Add(20 * time.Second)
	lead, answers := agree()
	for want := lead.opt.Self.ID + " <nil>"; slices.ContainsFunc(answers, func(a string) bool { return a != want }); want = lead.opt.Self.ID + " <nil>" {
		if time.Now().After(deadline) {
			t.Fatalf("they say %q; the leader is %s", answers, lead.opt.Self.ID)
		}
		time.Sleep(20 * time.Millisecond)
		lead, answers = agree()
	}
	var left *member
	for _, m := range c.members {
		if m == lead || left != nil {
			m.kill(t)
		} else {
			left = m
		}
	}
	deadline = time.Now().Add(10 * time.Second)
	for {
		_, err := left.r.Links(t.Context())
		if errors.Is(err, ErrNoLeader) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("without a leader: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
