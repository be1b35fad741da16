package replica

import (
	"errors"
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
	lead := c.leader(t)
	deadline := time.Now().Add(10 * time.Second)
	for _, m := range c.members {
		got, err := m.r.Links(t.Context())
		for errors.Is(err, ErrNoLeader) && time.Now().Before(deadline) { // it has not heard who leads
			time.Sleep(10 * time.Millisecond)
			got, err = m.r.Links(t.Context())
		}
		if err != nil || string(got) != lead.opt.Self.ID {
			t.Errorf("%s says %q, %v; the leader is %s", m.opt.Self.ID, got, err, lead.opt.Self.ID)
		}
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
