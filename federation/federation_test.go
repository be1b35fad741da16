package federation

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
	"dusthub/schema/rpc"
	"dusthub/sync/lane"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// pair is a ministry that serves, and a province that does not dial yet.
func pair(t testing.TB) (ministry, jiangsu *site, ca *pki.CA) {
	t.Helper()
	ca = newCA(t)
	ministry = newSite(t, ca, "ministry", "ministry", "")
	ministry.tickAt(0)
	ministry.serve()
	jiangsu = newSite(t, ca, "jiangsu", "province", "ministry")
	return ministry, jiangsu, ca
}

const secret = "pbkdf2-hmac-sm3$600000$secretsalt$secrethash"

// mixed writes records of all scopes.
func mixed(s *site, from, n int) {
	s.t.Helper()
	for i := from; i < from+n; i++ {
		code := fmt.Sprintf("3205050300%02d", i+1)
		s.put("", enterprise(code))
		s.put("", &schema.User{Login: fmt.Sprintf("user%d", i), Name: "某人", Role: "site_admin", Password: secret})
	}
}

func TestLedgerGoesUpWithoutWhatIsLocal(t *testing.T) {
	ministry, jiangsu, _ := pair(t)
	mixed(jiangsu, 0, 20)
	jiangsu.sign()
	jiangsu.dial(ministry)
	follows(t, ministry, jiangsu)
	mixed(jiangsu, 20, 5) // while connected
	jiangsu.sign()
	follows(t, ministry, jiangsu)
	n, err := ministry.store.Count(t.Context(), store.Query{Type: "Enterprise"})
	if err != nil || n != 25 {
		t.Errorf("%d enterprises, %v", n, err)
	}
	if n, _ := ministry.store.Count(t.Context(), store.Query{Type: "User"}); n != 0 {
		t.Errorf("%d users went up", n)
	}
	if !ministry.wire.carried(t, "企业0004", true) {
		t.Error("the recorder is deaf")
	}
	for _, s := range []string{"secretsalt", "user1", "某人"} {
		if ministry.wire.carried(t, s, true) {
			t.Errorf("%q was on the wire", s)
		}
	}
	if n, _ := ministry.store.Count(t.Context(), store.Query{Type: "Quarantine"}); n != 0 {
		t.Errorf("%d records quarantined", n)
	}
}

func TestDownlinkReachesOnlyTheAddressee(t *testing.T) {
	ministry, jiangsu, ca := pair(t)
	shandong := newSite(t, ca, "shandong", "province", "ministry")
	table := func(name, word string) *schema.CodeTable {
		return &schema.CodeTable{Name: name, Version: "1", Codes: []*schema.Code{{Code: "1", Name: word}}}
	}
	jiangsu.tickAt(0)
	shandong.tickAt(0)
	ministry.put("jiangsu", table("for_jiangsu", "江苏密件"))
	ministry.put("*", table("for_all", "人人可见"))
	ministry.put("", &schema.User{Login: "boss", Name: "部长", Role: "ministry_regulator", Password: secret})
	ministry.sign()
	jiangsu.dial(ministry)
	follows(t, jiangsu, ministry)
	if ministry.wire.carried(t, "boss", false) || !ministry.wire.carried(t, "江苏密件", false) {
		t.Error("what went down is not what should have")
	}
	ministry.wire.mu.Lock()
	ministry.wire.out = nil
	ministry.wire.mu.Unlock()
	jiangsu.disconnect()
	shandong.dial(ministry)
	follows(t, shandong, ministry)
	if ministry.wire.carried(t, "江苏密件", false) {
		t.Error("what is for jiangsu went to shandong")
	}
	for _, c := range []struct {
		at   *site
		key  string
		want bool
	}{{jiangsu, "for_jiangsu", true}, {jiangsu, "for_all", true}, {shandong, "for_jiangsu", false}, {shandong, "for_all", true}} {
		if _, ok, err := c.at.store.Get("CodeTable", c.key); ok != c.want || err != nil {
			t.Errorf("%s at %s: %v, %v", c.key, c.at.id.Name(), ok, err)
		}
	}
}

// TestResume: the link is cut in mid-batch, the parent is restarted, batches come twice; nothing is lost or doubled.
func TestResume(t *testing.T) {
	ministry, jiangsu, _ := pair(t)
	mixed(jiangsu, 0, 30)
	jiangsu.sign()
	taken := 0
	ministry.wire.tamper = func(m proto.Message) {
		if b, ok := m.(*rpc.FromChild); ok && b.GetBatch().GetLane() == lane.Events {
			if taken++; taken == 1 { // half of the batch arrives, then nothing is committed any more
				b.GetBatch().Items = b.GetBatch().GetItems()[:len(b.GetBatch().GetItems())/2]
				b.GetBatch().Checkpoint = nil
				ministry.refuse.Store(true)
			}
		}
	}
	jiangsu.dial(ministry)
	eventually(t, "a batch arrives", func() bool {
		ministry.wire.mu.Lock()
		defer ministry.wire.mu.Unlock()
		return taken >= 1
	})
	jiangsu.disconnect()
	ministry.refuse.Store(false)
	ministry.restart()
	ministry.serve()
	jiangsu.dial(ministry)
	follows(t, ministry, jiangsu)
	before, _, _ := ministry.store.Position("jiangsu", "jiangsu", lane.Events)
	ministry.restart()
	ministry.serve()
	jiangsu.disconnect()
	jiangsu.dial(ministry)
	mixed(jiangsu, 30, 3)
	jiangsu.sign()
	follows(t, ministry, jiangsu)
	after, _, _ := ministry.store.Position("jiangsu", "jiangsu", lane.Events)
	if after.GetSeq() <= before.GetSeq() || after.GetCheckpoint() != after.GetSeq() {
		t.Errorf("position %v, before %v", after, before)
	}
	if n, _ := ministry.store.Count(t.Context(), store.Query{Type: "Enterprise"}); n != 33 {
		t.Errorf("%d enterprises, wanted 33", n)
	}
}

func TestTamperedBatchIsRefused(t *testing.T) {
	cases := map[string]func(*schema.Inbound){
		"entry changed": func(in *schema.Inbound) { in.GetItems()[0].GetWhat().(*schema.Item_Entry).Entry[20] ^= 1 },
		"digest signed": func(in *schema.Inbound) { in.GetCheckpoint().Digest[3] ^= 1 },
		"signature":     func(in *schema.Inbound) { in.GetCheckpoint().Signature[10] ^= 1 },
		"entry missing": func(in *schema.Inbound) { in.Items = in.GetItems()[1:] },
	}
	for name, tamper := range cases {
		t.Run(name, func(t *testing.T) {
			ministry, jiangsu, _ := pair(t)
			mixed(jiangsu, 0, 2)
			jiangsu.sign()
			refused := make(chan struct{}, 100)
			ministry.wire.tamper = func(m proto.Message) {
				if b, ok := m.(*rpc.FromChild); ok && b.GetBatch().GetLane() == lane.Events {
					tamper(b.GetBatch())
					refused <- struct{}{}
				}
			}
			jiangsu.dial(ministry)
			for range 2 { // it comes again, and is refused again
				<-refused
			}
			if h, ok := ministry.store.Head("jiangsu"); ok {
				t.Errorf("taken in up to %d", h.Seq)
			}
			ministry.wire.mu.Lock()
			ministry.wire.tamper = nil
			ministry.wire.mu.Unlock()
			follows(t, ministry, jiangsu)
		})
	}
}

// exchange opens a stream as a stranger might and returns how it ends.
func exchange(t *testing.T, at *site, id *pki.Identity, first *rpc.FromChild) error {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+at.addr, DialOptions(id, at.id.Name())...)
	must(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s, err := rpc.NewFederationClient(conn).Exchange(ctx)
	if err != nil {
		return err
	}
	_ = s.Send(first)
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}

func TestWhoMayNotComeIn(t *testing.T) {
	ministry, jiangsu, ca := pair(t)
	mixed(jiangsu, 0, 1)
	jiangsu.sign()
	jiangsu.dial(ministry)
	follows(t, ministry, jiangsu)
	hello := func(site string, change func(*rpc.Hello)) *rpc.FromChild {
		h := &rpc.Hello{Site: site, Epoch: 5, SchemaVersion: schema.Version, Origins: []string{site}}
		if change != nil {
			change(h)
		}
		return &rpc.FromChild{What: &rpc.FromChild_Hello{Hello: h}}
	}
	anhui := identity(t, ca, "anhui", pki.UnitSite)
	cases := []struct {
		name  string
		id    *pki.Identity
		first *rpc.FromChild
		code  codes.Code
		says  string
	}{
		{"another CA", identity(t, newCA(t), "anhui", pki.UnitSite), hello("anhui", nil), codes.Unavailable, "not trusted"},
		{"a gateway's certificate", identity(t, ca, "320505030001G01", pki.UnitGateway), hello("320505030001G01", nil), codes.PermissionDenied, "not a site's"},
		{"another's name", anhui, hello("jiangsu", nil), codes.PermissionDenied, `over the certificate of "anhui"`},
		{"another major version", anhui, hello("anhui", func(h *rpc.Hello) { h.SchemaVersion = "2.0" }), codes.FailedPrecondition, "another major version"},
		{"no hello", anhui, &rpc.FromChild{What: &rpc.FromChild_Status{Status: &rpc.Status{}}}, codes.InvalidArgument, "Hello"},
		{"ledger that comes by another way", anhui, hello("anhui", func(h *rpc.Hello) { h.Origins = []string{"anhui", "jiangsu"} }), codes.PermissionDenied, "by way of jiangsu"},
		{"this site's own ledger", anhui, hello("anhui", func(h *rpc.Hello) { h.Origins = []string{"ministry"} }), codes.PermissionDenied, "cannot bring"},
		{"an older life", jiangsu.id, hello("jiangsu", nil), codes.FailedPrecondition, "is over"},
		{"the site itself", ministry.id, hello("ministry", nil), codes.PermissionDenied, "cannot be a child"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := exchange(t, ministry, c.id, c.first)
			if status.Code(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, wanted %s with %q", err, c.code, c.says)
			}
		})
	}
	mixed(jiangsu, 1, 1)
	jiangsu.sign()
	follows(t, ministry, jiangsu)
}

// samples are some seconds of a few series.
func samples(start int64, seconds, series int) []frame.Sample {
	var out []frame.Sample
	for i := range seconds {
		for n := range series {
			out = append(out, frame.Sample{Series: uint32(n + 1), Time: start + int64(i)*1000, Value: float64((i*7+n)%50) / 10})
		}
	}
	return out
}

func partitionsEqual(t *testing.T, at, origin *site, n int) {
	t.Helper()
	name := origin.id.Name()
	eventually(t, "partitions are equal", func() bool {
		a, err := at.store.Partitions(name, 0)
		must(t, err)
		b, err := origin.store.Partitions(name, 0)
		must(t, err)
		if len(a) != n || len(b) != n {
			return false
		}
		for i := range a {
			if a[i].Computed != b[i].Computed || a[i].Mismatch() {
				return false
			}
		}
		return at.store.SampleCount(name) == origin.store.SampleCount(name)
	})
}

// TestLiveFramesSealToTheSameRoot also: what the log has lost comes up sealed.
func TestLiveFramesSealToTheSameRoot(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  bool
	}{{"live", false}, {"log cut, mended by backfill", true}} {
		t.Run(c.name, func(t *testing.T) {
			ministry, jiangsu, _ := pair(t)
			length := testPartition.Milliseconds()
			start := time.Now().UnixMilli()/length*length - 5*length
			jiangsu.frame(samples(start, 60, 5)...)
			if c.cut {
				jiangsu.frame(samples(start+length, 30, 2000/30)...)
				jiangsu.mu.Lock()
				jiangsu.cut = uint64(len(jiangsu.log))
				jiangsu.mu.Unlock()
			}
			jiangsu.frame(samples(start+2*length, 60, 5)...)
			jiangsu.dial(ministry)
			eventually(t, "live samples are at the ministry", func() bool {
				return ministry.store.SampleCount("jiangsu") > 0
			})
			jiangsu.frame(samples(start+2*length+500, 20, 5)...)
			if !c.cut {
				eventually(t, "all are there", func() bool { return ministry.store.SampleCount("jiangsu") == jiangsu.store.SampleCount("jiangsu") })
			}
			jiangsu.tickAt(start + 5*length)
			jiangsu.sign()
			follows(t, ministry, jiangsu)
			n := 2
			if c.cut {
				n = 3
			}
			partitionsEqual(t, ministry, jiangsu, n)
			mended := false
			ministry.wire.mu.Lock()
			defer ministry.wire.mu.Unlock()
			for _, m := range ministry.wire.out {
				mended = mended || m.(*rpc.FromParent).GetWant() != nil
			}
			if mended != c.cut {
				t.Errorf("sealed series asked for: %v", mended)
			}
		})
	}
}

func TestAttachments(t *testing.T) {
	ministry, jiangsu, _ := pair(t)
	content := make([]byte, 600<<10)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	early := attach(t, jiangsu, content)
	jiangsu.sign()
	jiangsu.dial(ministry)
	late := attach(t, jiangsu, content[:1000])
	absent := fmt.Sprintf("%064x", 7)
	jiangsu.put("", &schema.Attachment{Id: absent, Name: "gone.png", MediaType: "image/png", Size: 10})
	jiangsu.sign()
	for id, want := range map[string][]byte{early: content, late: content[:1000]} {
		eventually(t, "content arrives", func() bool { ok, err := ministry.store.HasBlob(id); return ok && err == nil })
		var got []byte
		_, err := ministry.store.Blob(id, func(_ uint32, data []byte, _ bool) error { got = append(got, data...); return nil })
		if err != nil || string(got) != string(want) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	eventually(t, "what is missing is on record", func() bool {
		n, err := ministry.store.Count(t.Context(), store.Query{Type: "Quarantine", Index: "source,time", Prefix: []string{"jiangsu"}})
		return n == 1 && err == nil
	})
	if ministry.fed.Status().Children[0].Quarantined != 1 {
		t.Error("status does not show it")
	}
}

// TestSpoiledAnswersEndNothing: chunks that are no chunks, and content that is not what its digest says, are not taken in, and
// the other lanes go on.
func TestSpoiledAnswersEndNothing(t *testing.T) {
	ministry, jiangsu, _ := pair(t)
	length := testPartition.Milliseconds()
	start := time.Now().UnixMilli()/length*length - 5*length
	jiangsu.frame(samples(start, 60, 3)...)
	jiangsu.tickAt(start + 3*length)
	jiangsu.cut = uint64(len(jiangsu.log))
	id := attach(t, jiangsu, []byte("a photo"))
	jiangsu.sign()
	spoil := func(m proto.Message) {
		b, ok := m.(*rpc.FromChild)
		if !ok {
			return
		}
		for _, x := range b.GetBatch().GetSealed() {
			if len(x.GetChunk()) > 0 {
				x.Chunk[0] ^= 1
			}
		}
		if x := b.GetBatch().GetBlob(); x != nil {
			x.Data[0] ^= 1
		}
	}
	ministry.wire.tamper = spoil
	jiangsu.dial(ministry)
	follows(t, ministry, jiangsu)
	asked := ministry.fed.metrics.asked
	value := func(c prometheus.Counter) float64 {
		var m dto.Metric
		must(t, c.Write(&m))
		return m.GetCounter().GetValue()
	}
	count := func(what, outcome string) float64 { return value(asked.WithLabelValues("jiangsu", what, outcome)) }
	eventually(t, "both are judged", func() bool {
		return count(lane.Backfill, outcomeMissing) == 1 && count(lane.Attachments, outcomeMissing) == 1
	})
	mixed(jiangsu, 0, 2)
	jiangsu.sign()
	follows(t, ministry, jiangsu)
	if ok, _ := ministry.store.HasBlob(id); ok || ministry.store.SampleCount("jiangsu") != 0 {
		t.Error("what was spoiled was taken in")
	}
	if r := value(ministry.fed.metrics.refusals.WithLabelValues("jiangsu", lane.Backfill)); r != 0 {
		t.Errorf("%v batches refused", r)
	}
	ministry.wire.mu.Lock()
	ministry.wire.tamper = nil
	ministry.wire.mu.Unlock()
	jiangsu.disconnect()
	jiangsu.dial(ministry)
	partitionsEqual(t, ministry, jiangsu, 1)
	eventually(t, "content arrives", func() bool { ok, err := ministry.store.HasBlob(id); return ok && err == nil })
}
