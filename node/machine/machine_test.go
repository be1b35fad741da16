package machine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/deploy/demo/plants"
	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
)

const (
	own, child, parent = "jiangsu", "wuxi", "ministry"

	start     = int64(1_790_000_040_000)
	partition = time.Minute
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// site is a store with its machine, without raft.
type site struct {
	store  *store.Store
	engine *engine.Engine
	m      *Machine
	next   uint64
}

func openSite(t testing.TB, fs vfs.FS) *site {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "db", FS: fs, Site: own, Partition: partition})
	must(t, err)
	e := engine.New(engine.Config{
		Site: own, Level: "province", Region: "320000", Partition: partition.Milliseconds(), Grace: 20_000, OfflineAfter: 40_000, LiveWithin: 60_000, Model: risk.Demonstration(),
	})
	m, err := New(Options{Store: s, Engine: e, Hub: live.New(s.Applied()), Logger: slog.New(slog.DiscardHandler), Parent: parent})
	must(t, err)
	return &site{store: s, engine: e, m: m, next: 1}
}

// propose applies a command at the next index.
func (s *site) propose(t testing.TB, cmd *schema.Command) *schema.Result {
	t.Helper()
	raw, err := schema.Marshal(cmd)
	must(t, err)
	res, err := s.m.Apply(s.next, raw)
	must(t, err)
	s.next++
	return res
}

// picture is what a site knows: rows, ledgers, positions, partitions, and the engine's state.
func (s *site) picture(t testing.TB) string {
	t.Helper()
	h := sha256.New()
	rows := 0
	for _, typ := range schema.Types() {
		must(t, s.store.Each(t.Context(), store.Query{Type: typ}, func(r store.Row) (bool, error) {
			raw, err := schema.Marshal(r.Record)
			fmt.Fprintf(h, "%s %s %s %d %d %d %x\n", r.Type, r.Key, r.Origin, r.Seq, r.Time, r.Here, raw)
			rows++
			return true, err
		}))
	}
	state, err := s.engine.MarshalState()
	must(t, err)
	text := fmt.Sprintf("%d rows %x\nengine %x\n", rows, h.Sum(nil), sha256.Sum256(state))
	for _, origin := range []string{own, child, parent} {
		head, _ := s.store.Head(origin)
		parts, err := s.store.Partitions(origin, 0)
		must(t, err)
		text += fmt.Sprintf("%s %d %d %x, %d samples, %v\n", origin, head.Epoch, head.Seq, head.Digest, s.store.SampleCount(origin), parts)
	}
	for _, from := range []string{child, parent} {
		positions, err := s.store.Positions(from)
		must(t, err)
		text += fmt.Sprintln(positions)
	}
	return text
}

// neighbour is another site's ledger, written without judgement so that it may hold what does not conform.
type neighbour struct {
	name   string
	store  *store.Store
	index  uint64
	frames []*schema.LiveFrame
}

const neighbourEpoch = 77

func newNeighbour(t testing.TB, name string) *neighbour {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "db", FS: vfs.NewMem(), Site: name, Partition: partition})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	n := &neighbour{name: name, store: s}
	n.do(t, start, func(b *store.Batch) { must(t, b.SetEpoch(neighbourEpoch)) })
	return n
}

func (n *neighbour) do(t testing.TB, now int64, fn func(*store.Batch)) {
	t.Helper()
	n.index++
	b := n.store.Begin(n.index, now)
	fn(b)
	must(t, b.Commit())
}

func (n *neighbour) own(t testing.TB, now int64, rec schema.Record, to string) {
	t.Helper()
	n.do(t, now, func(b *store.Batch) {
		_, err := b.Own(store.Change{Type: schema.TypeOf(rec), Key: schema.KeyOf(rec), Record: rec, To: to})
		must(t, err)
	})
}

func (n *neighbour) frame(t testing.TB, now int64, samples ...frame.Sample) {
	t.Helper()
	raw := frame.Append(nil, samples)
	n.do(t, now, func(b *store.Batch) {
		_, err := b.Frame(n.name, raw)
		must(t, err)
	})
	n.frames = append(n.frames, &schema.LiveFrame{Index: n.index, Frame: raw})
}

func (n *neighbour) seal(t testing.TB, now int64) {
	t.Helper()
	n.do(t, now, func(b *store.Batch) {
		parts, err := b.SealBefore(now)
		must(t, err)
		for _, p := range parts {
			_, err := b.Own(store.Change{Type: "Partition", Key: p.GetId(), Record: p})
			must(t, err)
		}
		must(t, b.Checkpoint())
	})
}

// events is a batch of the ledger; items that the reader may not see are digests.
func (n *neighbour) events(t testing.TB, from uint64, limit int, visible func(*schema.Entry) bool) *schema.Command {
	t.Helper()
	in := &schema.Inbound{From: n.name, Origin: n.name, Epoch: neighbourEpoch, Lane: LaneEvents, First: from}
	must(t, n.store.Ledger(t.Context(), n.name, neighbourEpoch, from, limit, func(seq uint64, item *schema.Item) error {
		e := &schema.Entry{}
		must(t, proto.Unmarshal(item.GetEntry(), e))
		if !visible(e) {
			d := chain.Entry(item.GetEntry())
			item = &schema.Item{What: &schema.Item_Digest{Digest: d[:]}}
		}
		in.Items = append(in.Items, item)
		return nil
	}))
	if len(in.Items) > 0 {
		last := from + uint64(len(in.Items)) - 1
		in.Checkpoint = &schema.Checkpoint{Origin: n.name, Epoch: neighbourEpoch, Seq: last}
	}
	return inbound(in)
}

func inbound(in *schema.Inbound) *schema.Command {
	return &schema.Command{Id: fmt.Sprint(in.GetFrom(), in.GetLane(), in.GetFirst(), in.GetLast()), Actor: in.GetFrom(), Body: &schema.Command_Inbound{Inbound: in}}
}

func everything(*schema.Entry) bool { return true }
func downward(e *schema.Entry) bool {
	return e.GetScope() == schema.Scope_SCOPE_DOWN && (e.GetTo() == own || e.GetTo() == "*")
}

// plant is the base data of the demonstration's first plant.
func plant(p plants.Plant) []schema.Record {
	u := p.Units[0]
	out := []schema.Record{
		&schema.Enterprise{
			Code: p.Code, Uscc: p.USCC, Name: p.Name, Region: p.Region, Industry: p.Industry, MemIndustry: p.MemInd, Scale: p.Scale, Employees: p.Staff, DustWorkers: p.Workers,
			ProductionState: "normal", AccessState: "connected", ShouldAccess: true, Dusts: []*schema.Dust{{Dust: p.Dust}},
		},
		&schema.Workshop{Code: p.WorkshopCode(), Enterprise: p.Code, Name: "W", Building: p.Building},
		&schema.DustSystem{Code: p.SystemCode(u), Enterprise: p.Code, Workshop: p.WorkshopCode(), Name: "S", Mode: u.Mode, Dusts: []string{p.Dust}},
		&schema.Collector{Code: p.CollectorCode(u), Enterprise: p.Code, System: p.SystemCode(u), Name: "C", Type: u.Type},
		&schema.Gateway{Code: p.GatewayCode(), Enterprise: p.Code, Door: "frames"},
	}
	for _, pt := range u.Points {
		m := &schema.Metric{
			Code: p.MetricCode(u, pt), Enterprise: p.Code, Collector: p.CollectorCode(u), Gateway: p.GatewayCode(), Kind: pt.Kind, Name: pt.Name, Unit: pt.Unit,
			RangeLo: pt.Lo, RangeHi: pt.Hi, Limits: &schema.Limits{},
		}
		for k, v := range pt.Limits {
			switch k {
			case "ll":
				m.Limits.Ll = &v
			case "l":
				m.Limits.L = &v
			case "h":
				m.Limits.H = &v
			case "hh":
				m.Limits.Hh = &v
			}
		}
		out = append(out, m)
	}
	return out
}

func putAll(t testing.TB, id string, records ...schema.Record) *schema.Command {
	t.Helper()
	put := &schema.Put{}
	for _, r := range records {
		raw, err := schema.Marshal(r)
		must(t, err)
		put.Changes = append(put.Changes, &schema.Change{Type: schema.TypeOf(r), Record: raw})
	}
	return &schema.Command{Id: id, Actor: "admin", Body: &schema.Command_Put{Put: put}}
}

// camera is a record that both sites come to claim.
func camera(i int, enterprise string) *schema.Camera {
	return &schema.Camera{GbId: fmt.Sprintf("3205050000132%07d", i), Enterprise: enterprise, Site: "collector"}
}

// history makes a stream of commands of every kind by proposing them to a site, and returns them encoded.
func history(t testing.TB, s *site, seed uint64, n int) [][]byte {
	t.Helper()
	g := &generator{t: t, s: s, r: rand.New(rand.NewPCG(seed, 1)), below: newNeighbour(t, child), above: newNeighbour(t, parent), now: start, all: plants.All()}
	g.propose(&schema.Command{Actor: "site", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "Site", Record: mustMarshal(t, &schema.Site{Id: own, Name: "J", Level: "province", Region: "320000"})}}}}})
	res := g.propose(putAll(t, "plant", plant(g.all[0])...))
	if len(res.GetViolations()) > 0 {
		t.Fatal(res.GetViolations())
	}
	for range n {
		g.step()
	}
	return g.out
}

func mustMarshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	raw, err := schema.Marshal(m)
	must(t, err)
	return raw
}

type generator struct {
	t            testing.TB
	s            *site
	r            *rand.Rand
	below, above *neighbour
	now          int64
	all          []plants.Plant
	out          [][]byte
	count        int
}

func (g *generator) propose(cmd *schema.Command) *schema.Result {
	g.t.Helper()
	cmd.Time = g.now - int64(g.r.IntN(2))*int64(g.r.IntN(3000)) // leaders' clocks differ
	if cmd.GetId() == "" {
		cmd.Id = fmt.Sprint("c", g.count)
	}
	g.count++
	raw, err := schema.Marshal(cmd)
	must(g.t, err)
	g.out = append(g.out, raw)
	return g.s.propose(g.t, cmd)
}

func (g *generator) step() {
	g.now += int64(g.r.IntN(3000))
	switch g.r.IntN(17) {
	case 0, 1, 2:
		g.propose(&schema.Command{Actor: "site", Body: &schema.Command_Tick{Tick: &schema.Tick{}}})
	case 3, 4, 5, 6:
		g.propose(&schema.Command{Actor: "G01", Body: &schema.Command_Frame{Frame: g.samples(6)}})
	case 7:
		g.act()
	case 8:
		g.childLives()
	case 9, 10:
		g.childSends()
	case 11:
		g.parentSends()
	case 12:
		id := g.r.IntN(4)
		g.propose(putAll(g.t, "", camera(id, g.all[0].Code)))
	case 13:
		g.propose(&schema.Command{Actor: "admin", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "Camera", Key: camera(g.r.IntN(4), "").GetGbId(), Deleted: true}}}}})
	case 14:
		g.nonsense()
	case 15:
		g.propose(&schema.Command{Actor: "G01", Body: &schema.Command_Heard{Heard: &schema.Heard{Gateway: g.all[0].GatewayCode(), SourceLost: g.r.IntN(3) == 0}}})
	case 16: // an entry of the audit, now and then one that is there already, with a change that must then not be made
		g.propose(putAll(g.t, "", camera(g.r.IntN(4), g.all[0].Code), &schema.AuditEntry{Id: fmt.Sprint("L", g.r.IntN(20)), Action: "x"}))
	}
}

func (g *generator) samples(series int) []byte {
	var in []frame.Sample
	for range 1 + g.r.IntN(20) {
		at := g.now - int64(g.r.IntN(2000))
		if g.r.IntN(30) == 0 {
			at -= int64(g.r.IntN(200_000)) // late
		}
		in = append(in, frame.Sample{Series: uint32(1 + g.r.IntN(series)), Time: at - at%100, Value: float64(g.r.IntN(3000)) / 10})
	}
	return frame.Append(nil, in)
}

func (g *generator) act() {
	page, err := g.s.store.List(g.t.Context(), store.Query{Type: "Alarm", Limit: 50})
	must(g.t, err)
	if len(page.Rows) == 0 {
		return
	}
	key := page.Rows[g.r.IntN(len(page.Rows))].Key
	action := []string{"acknowledge", "dispose", "feed_back", "close", "reject"}[g.r.IntN(5)]
	g.propose(&schema.Command{Actor: "wang", Body: &schema.Command_Act{Act: &schema.Act{Type: "Alarm", Key: key, Action: action, Text: "done", Cause: "filter_blocked", Role: "plant_manager"}}})
}

// childLives lets the child write what conforms and what does not.
func (g *generator) childLives() {
	code := g.all[4].Code
	switch g.r.IntN(5) {
	case 0:
		g.below.own(g.t, g.now, plant(g.all[4])[0], "")
	case 1: // may be ours
		g.below.own(g.t, g.now, camera(g.r.IntN(4), code), "")
	case 2: // breaks a rule
		g.below.own(g.t, g.now, &schema.Camera{GbId: "1", Enterprise: code}, "")
	case 3: // of a kind that may not come
		g.below.own(g.t, g.now, &schema.User{Login: "intruder", Name: "I", Role: "site_admin", Password: "x"}, "")
	case 4:
		g.below.seal(g.t, g.now-40_000)
	}
	for range 3 {
		g.below.frame(g.t, g.now, frame.Sample{Series: 1, Time: g.now - int64(g.r.IntN(30_000)), Value: float64(g.r.IntN(100))})
	}
}

func (g *generator) childSends() {
	head, _ := g.s.store.Head(child)
	from := uint64(max(1, int64(head.Seq)+int64(g.r.IntN(6))-3)) // overlaps, follows, or leaves a gap
	g.propose(g.below.events(g.t, from, 1+g.r.IntN(6), everything))
	if len(g.below.frames) > 0 {
		at := g.r.IntN(len(g.below.frames))
		batch := slices.Clone(g.below.frames[at:min(at+4, len(g.below.frames))])
		if g.r.IntN(4) == 0 {
			batch = append(batch, &schema.LiveFrame{Index: batch[len(batch)-1].GetIndex() + 1, Frame: []byte("nonsense")})
		}
		g.propose(inbound(&schema.Inbound{From: child, Origin: child, Epoch: neighbourEpoch, Lane: LaneLive, First: batch[0].GetIndex(), Frames: batch, Last: batch[len(batch)-1].GetIndex()}))
	}
	parts, err := g.below.store.Partitions(child, 0)
	must(g.t, err)
	if len(parts) > 0 && g.r.IntN(3) == 0 {
		at := parts[g.r.IntN(len(parts))].Start
		in := &schema.Inbound{From: child, Origin: child, Epoch: neighbourEpoch, Lane: LaneBackfill, Partition: at}
		must(g.t, g.below.store.Chunks(child, at, func(n uint32, _ chain.Digest, c []byte) error {
			in.Sealed = append(in.Sealed, &schema.SealedSeries{Series: n, Chunk: bytes.Clone(c)})
			return nil
		}))
		g.propose(inbound(in))
	}
}

func (g *generator) parentSends() {
	to := []string{own, "*", "shandong"}[g.r.IntN(3)]
	g.above.own(g.t, g.now, &schema.SpotCheck{
		Id: fmt.Sprint("ministry-", g.count), Enterprise: g.all[0].Code, Title: "T", Issued: g.now, Issuer: "li", IssuerSite: parent, Stage: "issued",
	}, to)
	head, _ := g.s.store.Head(parent)
	g.propose(g.above.events(g.t, head.Seq+1, 10, downward))
}

func (g *generator) nonsense() {
	cmds := []*schema.Command{
		{}, {Body: &schema.Command_Frame{Frame: []byte{1, 2, 3}}}, inbound(&schema.Inbound{From: child, Origin: own, Lane: LaneEvents}),
		inbound(&schema.Inbound{From: child, Origin: child, Lane: LaneEvents, First: 1}), inbound(&schema.Inbound{From: child, Origin: child, Epoch: neighbourEpoch, Lane: "sideways"}),
		inbound(&schema.Inbound{From: child, Origin: child, Epoch: neighbourEpoch, Lane: LaneBackfill, Partition: 1, Sealed: []*schema.SealedSeries{{Series: 1, Chunk: []byte("x")}}}),
		inbound(&schema.Inbound{From: child, Origin: child, Epoch: neighbourEpoch, Lane: LaneEvents, First: 1, Items: []*schema.Item{{}}}),
	}
	cmd := cmds[g.r.IntN(len(cmds))]
	if res := g.propose(cmd); len(res.GetViolations()) == 0 {
		g.t.Errorf("%v was not refused", cmd)
	}
}

// TestCrashAnywhere: a site that loses what was not flushed, at any point, and gets the log again, is the same in the end,
// to the byte of the engine's state.
func TestCrashAnywhere(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			whole := openSite(t, vfs.NewMem())
			defer whole.store.Close()
			log := history(t, whole, seed, 400)
			want := whole.picture(t)
			whole.countRules(t, seen)
			for _, procs := range []int{1, 4} {
				t.Run(fmt.Sprint(procs, " processors"), func(t *testing.T) {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
					if got := crashing(t, log, seed); got != want {
						t.Errorf("after crashes\n%s\nwanted\n%s", got, want)
					}
				})
			}
		})
	}
	for _, what := range []string{"owner", "scope", "gb28181", "form", "conflict", "Alarm", "Partition", "SpotCheck", "Camera"} {
		if seen[what] == 0 {
			t.Errorf("no history had %s: %v", what, seen)
		}
	}
}

// countRules counts what happened in a history: why things went to quarantine, and alarms.
func (s *site) countRules(t testing.TB, seen map[string]int) {
	t.Helper()
	must(t, s.store.Each(t.Context(), store.Query{Type: "Quarantine"}, func(r store.Row) (bool, error) {
		for _, v := range r.Record.(*schema.Quarantine).GetViolations() {
			seen[v.GetRule()]++
		}
		return true, nil
	}))
	for _, typ := range []string{"Alarm", "Partition", "SpotCheck", "Camera"} {
		n, err := s.store.Count(t.Context(), store.Query{Type: typ})
		must(t, err)
		seen[typ] += n
	}
}

// crashing applies a log with crashes, flushes and checkpoints in between.
func crashing(t *testing.T, log [][]byte, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 2))
	fs := vfs.NewCrashableMem()
	s := openSite(t, fs)
	crashes := 0
	for i := 0; i < len(log); i++ {
		_, err := s.m.Apply(uint64(i+1), log[i])
		must(t, err)
		if r.IntN(20) == 0 {
			must(t, s.store.Flush())
		}
		if r.IntN(60) == 0 {
			if err := s.m.Checkpoint(); err != nil && (s.m.Replayed() || !errors.Is(err, ErrReplaying)) {
				t.Fatal(err)
			}
		}
		if r.IntN(40) == 0 {
			crashes++
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
			must(t, s.store.Close())
			s = openSite(t, fs)
			i = int(s.store.HeadsAt()) - 1 - r.IntN(1+int(min(3, s.store.HeadsAt()))) // the log comes again, from H or a little before
		}
	}
	defer s.store.Close()
	if crashes == 0 {
		t.Error("no crash: the test tests nothing")
	}
	return s.picture(t)
}
