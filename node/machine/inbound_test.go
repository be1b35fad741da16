package machine

import (
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/deploy/demo/plants"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// pair is a site with a neighbour.
func pair(t *testing.T, name string) (*site, *neighbour) {
	t.Helper()
	s := openSite(t, vfs.NewMem())
	t.Cleanup(func() { s.store.Close() })
	return s, newNeighbour(t, name)
}

func (s *site) at(t *testing.T, now int64, cmd *schema.Command) *schema.Result {
	t.Helper()
	cmd.Time = now
	return s.propose(t, cmd)
}

// refusals are the rules in quarantine, with whom they were addressed to.
func (s *site) refusals(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, s.store.Each(t.Context(), store.Query{Type: "Quarantine"}, func(r store.Row) (bool, error) {
		for _, v := range r.Record.(*schema.Quarantine).GetViolations() {
			out[v.GetRule()] = r.Record.(*schema.Quarantine).GetSource()
		}
		return true, nil
	}))
	return out
}

func TestEntriesOfAChild(t *testing.T) {
	p := plants.All()
	good := camera(1, p[4].Code)
	cases := []struct {
		name    string
		records []schema.Record
		rule    string // empty: applied
	}{
		{"conforms", []schema.Record{plant(p[4])[0], good}, ""},
		{"breaks a rule", []schema.Record{&schema.Camera{GbId: "1", Enterprise: p[4].Code, Site: "collector"}}, "gb28181"},
		{"never leaves its site", []schema.Record{&schema.User{Login: "intruder", Name: "I", Role: "site_admin", Password: "x"}}, "scope"},
		{"goes down, not up", []schema.Record{&schema.RiskModel{Version: "evil", Document: []byte("x")}}, "scope"},
		{"lies in the future", []schema.Record{&schema.GatewayState{Gateway: p[4].GatewayCode(), Enterprise: p[4].Code, State: "online", Since: start + int64(time.Hour/time.Millisecond)}}, "time"},
		{"belongs to this site", []schema.Record{camera(0, p[0].Code)}, "owner"},
		{"partition of another length", []schema.Record{&schema.Partition{Id: "0", Start: 1, End: 2, Root: make([]byte, chain.Size)}}, "partition"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, n := pair(t, child)
			s.at(t, start, putAll(t, "own", append(plant(p[0]), camera(0, p[0].Code))...))
			for _, r := range c.records {
				n.own(t, start, r, "")
			}
			res := s.at(t, start, n.events(t, 1, 10, everything))
			if len(res.GetViolations()) > 0 {
				t.Fatal(res.GetViolations())
			}
			head, _ := s.store.Head(child)
			theirs, _ := n.store.Head(child)
			if head != theirs {
				t.Errorf("ledger %+v, theirs %+v", head, theirs)
			}
			last := c.records[len(c.records)-1]
			row, ok, err := s.store.Get(schema.TypeOf(last), schema.KeyOf(last))
			must(t, err)
			if applied := ok && row.Origin == child; applied != (c.rule == "") {
				t.Errorf("applied: %v", applied)
			}
			if to := s.refusals(t); c.rule != "" && to[c.rule] != child {
				t.Errorf("quarantine %v, wanted %s for %s", to, c.rule, child)
			}
			pos, ok, err := s.store.Position(child, child, LaneEvents)
			if err != nil || !ok || pos.GetSeq() != theirs.Seq || chain.Digest(pos.GetDigest()) != theirs.Digest || pos.GetCheckpoint() != theirs.Seq || pos.GetTime() != start {
				t.Errorf("position %v, %v", pos, err)
			}
		})
	}
}

func TestBatchesOverlapAndNeverSkip(t *testing.T) {
	s, n := pair(t, child)
	for i := range 6 {
		n.own(t, start, camera(i, plants.All()[4].Code), "")
	}
	s.at(t, start, n.events(t, 1, 3, everything))
	if res := s.at(t, start, n.events(t, 5, 2, everything)); len(res.GetViolations()) == 0 || res.GetViolations()[0].GetRule() != "gap" {
		t.Errorf("a gap was taken: %v", res)
	}
	s.at(t, start, n.events(t, 1, 3, everything))
	s.at(t, start, n.events(t, 2, 5, everything))
	head, _ := s.store.Head(child)
	count, err := s.store.Count(t.Context(), store.Query{Type: "Camera"})
	if err != nil || head.Seq != 6 || count != 6 {
		t.Errorf("%+v, %d rows, %v", head, count, err)
	}
	if d, err := s.store.ChainAt(t.Context(), child, neighbourEpoch, 6); err != nil || d != head.Digest {
		t.Error("chain", err)
	}
	old := n.events(t, 7, 1, everything)
	old.GetInbound().Epoch = neighbourEpoch - 1
	if res := s.at(t, start, old); len(res.GetViolations()) == 0 || res.GetViolations()[0].GetRule() != "epoch" {
		t.Errorf("an older life of the child was taken: %v", res)
	}
	reborn := n.events(t, 1, 1, everything)
	reborn.GetInbound().Epoch = neighbourEpoch + 1
	s.at(t, start, reborn)
	if head, _ := s.store.Head(child); head.Seq != 1 || head.Epoch != neighbourEpoch+1 {
		t.Errorf("a site that was made anew is not followed: %+v", head)
	}
}

func TestWhatTheParentAddresses(t *testing.T) {
	for _, c := range []struct {
		to      string
		applied bool
	}{{own, true}, {"*", true}, {parent, true}, {"shandong", false}} {
		t.Run(c.to, func(t *testing.T) {
			s, n := pair(t, parent)
			check := &schema.SpotCheck{Id: "s1", Enterprise: plants.All()[0].Code, Title: "T", Issued: start, Issuer: "li", IssuerSite: parent, Stage: "issued"}
			n.own(t, start, check, c.to)
			s.at(t, start, n.events(t, 1, 1, everything))
			if _, ok, err := s.store.Get("SpotCheck", "s1"); ok != c.applied || err != nil {
				t.Errorf("applied: %v, %v", ok, err)
			}
		})
	}
	s, n := pair(t, parent)
	n.own(t, start, &schema.Enterprise{Code: "x"}, "")
	s.at(t, start, n.events(t, 1, 1, downward))
	if head, _ := s.store.Head(parent); head.Seq != 1 || len(s.refusals(t)) != 0 {
		t.Errorf("a withheld entry: %+v, %v", head, s.refusals(t))
	}
}

// TestMissingFramesAreMended: the owner's root differs from what is here, until its chunks come.
func TestMissingFramesAreMended(t *testing.T) {
	s, n := pair(t, child)
	for i := range int64(10) {
		n.frame(t, start, frame.Sample{Series: 1, Time: start + i*1000, Value: float64(i)})
	}
	live := inbound(&schema.Inbound{From: child, Origin: child, Epoch: neighbourEpoch, Lane: LaneLive, Frames: n.frames[:7], Last: n.frames[6].GetIndex() + 2})
	if res := s.at(t, start, live); res.GetStored() != 7 {
		t.Errorf("%v", res)
	}
	if res := s.at(t, start, live); res.GetStored()+res.GetDuplicates() != 0 {
		t.Errorf("the same batch again: %v", res)
	}
	if pos, ok, err := s.store.Position(child, child, LaneLive); err != nil || !ok || pos.GetSeq() != n.frames[6].GetIndex()+2 {
		t.Errorf("position %v, %v", pos, err)
	}
	n.seal(t, start+120_000)
	s.at(t, start+120_000, n.events(t, 1, 10, everything))
	mismatch := func() bool {
		parts, err := s.store.Partitions(child, 0)
		if err != nil || len(parts) != 1 {
			t.Fatal(parts, err)
		}
		return parts[0].Mismatch()
	}
	if !mismatch() {
		t.Error("three missing samples were not noticed")
	}
	in := &schema.Inbound{From: child, Origin: child, Epoch: neighbourEpoch, Lane: LaneBackfill, Partition: start - start%60_000}
	must(t, n.store.Chunks(child, in.GetPartition(), func(series uint32, _ chain.Digest, c []byte) error {
		in.Sealed = append(in.Sealed, &schema.SealedSeries{Series: series, Chunk: append([]byte(nil), c...)})
		return nil
	}))
	s.at(t, start+130_000, inbound(in))
	if mismatch() || s.store.SampleCount(child) != 10 {
		t.Errorf("not mended: %d samples", s.store.SampleCount(child))
	}
	if s.store.HeadsAt() != s.next-1 {
		t.Error("a sealing is not a checkpoint")
	}
}

func TestContentOfAttachments(t *testing.T) {
	s, _ := pair(t, child)
	for i, piece := range []string{"one", "two"} {
		blob := &schema.Blob{Id: "abc", Piece: uint32(i), Data: []byte(piece), Last: i == 1}
		if i == 0 {
			s.at(t, start, &schema.Command{Body: &schema.Command_Blob{Blob: blob}})
		} else {
			s.at(t, start, inbound(&schema.Inbound{From: child, Origin: child, Lane: LaneAttachments, Blob: blob}))
		}
	}
	got := ""
	ok, err := s.store.Blob("abc", func(_ uint32, data []byte, _ bool) error { got += string(data); return nil })
	if err != nil || !ok || got != "onetwo" {
		t.Errorf("%q, %v, %v", got, ok, err)
	}
}

// TestEventsAreToldAfterTheCommit: who watches finds the rows in the store.
func TestEventsAreToldAfterTheCommit(t *testing.T) {
	s, _ := pair(t, child)
	events, end := s.m.hub.Subscribe(4)
	defer end()
	res := s.at(t, start, putAll(t, "own", plant(plants.All()[0])...))
	e := <-events
	if e.Index != 1 || len(e.Rows) < len(plant(plants.All()[0])) || res.GetSeq() != uint64(len(e.Rows)) || len(res.GetKeys()) == 0 {
		t.Errorf("%d rows, %v", len(e.Rows), res)
	}
	again := s.at(t, start, putAll(t, "own", plant(plants.All()[0])...))
	if !again.GetDuplicate() || again.GetSeq() != res.GetSeq() {
		t.Errorf("the same command again: %v", again)
	}
	if s.store.Epoch() != uint64(start) {
		t.Error("epoch", s.store.Epoch())
	}
}

// TestRefusedByTheBorder: an item the border found wanting stays in the ledger copy, is no row, and goes to quarantine.
func TestRefusedByTheBorder(t *testing.T) {
	s, n := pair(t, child)
	good, bad := camera(1, plants.All()[4].Code), camera(2, plants.All()[4].Code)
	n.own(t, start, plant(plants.All()[4])[0], "")
	n.own(t, start, good, "")
	n.own(t, start, bad, "")
	cmd := n.events(t, 1, 10, everything)
	cmd.GetInbound().Refusals = []*schema.Refusal{{Seq: 3, Violations: []*schema.Violation{{Rule: "signature"}}}}
	if res := s.at(t, start, cmd); len(res.GetViolations()) > 0 {
		t.Fatal(res.GetViolations())
	}
	head, _ := s.store.Head(child)
	theirs, _ := n.store.Head(child)
	_, applied, err := s.store.Get("Camera", good.GetGbId())
	must(t, err)
	_, refused, err := s.store.Get("Camera", bad.GetGbId())
	must(t, err)
	if head != theirs || !applied || refused || s.refusals(t)["signature"] != child {
		t.Errorf("ledger %+v, theirs %+v, good applied %t, bad applied %t, quarantine %v", head, theirs, applied, refused, s.refusals(t))
	}
}

// GB/T 22239-2019 8.1.4.3: an entry of the audit is never written over, and what came with the attempt is not done either.
func TestTheAuditIsAppendOnly(t *testing.T) {
	s, _ := pair(t, child)
	entry := func(action string) *schema.AuditEntry {
		return &schema.AuditEntry{Id: "L1", Actor: "a", Action: action}
	}
	if res := s.at(t, start, putAll(t, "", entry("login"))); len(res.GetViolations()) > 0 {
		t.Fatal(res.GetViolations())
	}
	for name, cmd := range map[string]*schema.Command{
		"over":  putAll(t, "", &schema.User{Login: "intruder", Name: "I", Role: "site_admin", Password: "x"}, entry("nothing")),
		"twice": putAll(t, "", &schema.AuditEntry{Id: "L2", Action: "a"}, &schema.AuditEntry{Id: "L2", Action: "b"}),
		"away":  {Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "AuditEntry", Key: "L1", Deleted: true}}}}},
	} {
		if res := s.at(t, start, cmd); !schema.Refuses(res.GetViolations()) {
			t.Errorf("%s: taken", name)
		}
	}
	row, _, err := s.store.Get("AuditEntry", "L1")
	if err != nil || row.Record.(*schema.AuditEntry).GetAction() != "login" {
		t.Errorf("%v %v", row.Record, err)
	}
	if _, ok, err := s.store.Get("User", "intruder"); ok || err != nil {
		t.Error("the rest of a refused command was done")
	}
}
