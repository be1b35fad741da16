package federation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/node/engine"
	"dusthub/node/live"
	"dusthub/node/machine"
	"dusthub/node/replica"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

const (
	testPartition = time.Minute
	plantCode     = "320505030001"
)

// site is a site with a real machine and store; its log is a slice, which outlives a restart as a log on the disk does.
type site struct {
	t      testing.TB
	id     *pki.Identity
	dir    string
	parent string
	level  string

	mu      sync.Mutex
	log     [][]byte
	cut     uint64 // indexes up to here are gone from the log
	store   *store.Store
	machine *machine.Machine
	hub     *live.Hub
	clock   int64

	fed    *Federation
	server *grpc.Server
	addr   string
	upAddr string // of its parent, when it has children too
	stop   func()
	wire   *recorder
	refuse atomic.Bool // proposals fail
	joined func(context.Context, tlcp.Peer) error
}

func newCA(t testing.TB) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(t.TempDir(), "test CA")
	must(t, err)
	return ca
}

func identity(t testing.TB, ca *pki.CA, name, unit string) *pki.Identity {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	must(t, ca.Issue(dir, name, unit, []string{"127.0.0.1"}, time.Hour))
	id, err := pki.LoadIdentity(dir)
	must(t, err)
	return id
}

func newSite(t testing.TB, ca *pki.CA, name, level, parent string) *site {
	t.Helper()
	s := &site{t: t, id: identity(t, ca, name, pki.UnitSite), dir: t.TempDir(), parent: parent, level: level, clock: time.Now().UnixMilli(), wire: &recorder{}}
	s.open()
	t.Cleanup(func() {
		s.disconnect()
		must(t, s.store.Close())
	})
	return s
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (s *site) open() {
	s.t.Helper()
	var err error
	s.store, err = store.Open(store.Options{Dir: s.dir, Site: s.id.Name(), Partition: testPartition})
	must(s.t, err)
	s.hub = live.New(s.store.Applied())
	judge := engine.New(engine.Config{Site: s.id.Name(), Level: s.level, Partition: testPartition.Milliseconds(), Grace: 1000})
	s.machine, err = machine.New(machine.Options{Store: s.store, Engine: judge, Hub: s.hub, Logger: slog.New(slog.DiscardHandler), Parent: s.parent})
	must(s.t, err)
	for i, c := range s.log {
		_, err := s.machine.Apply(uint64(i+1), c)
		must(s.t, err)
	}
}

// restart ends the site as a crash does (nothing is flushed) and starts it again; its address may be another.
func (s *site) restart() {
	s.t.Helper()
	s.disconnect()
	s.mu.Lock()
	must(s.t, s.store.Close())
	s.open()
	s.mu.Unlock()
}

// Propose applies a command at the next index, at a clock that moves on by a ms each.
func (s *site) Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	if s.refuse.Load() {
		return nil, replica.ErrNoLeader
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.clock = max(s.clock+1, time.Now().UnixMilli())
	cmd.Time = s.clock
	raw, err := schema.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	s.log = append(s.log, raw)
	return s.machine.Apply(uint64(len(s.log)), raw)
}

func (s *site) Frames(from uint64, maxBytes int, fn func(uint64, []byte) error) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from <= s.cut {
		return from, fmt.Errorf("read command %d: %w", from, replica.ErrTruncated)
	}
	for given := 0; from <= uint64(len(s.log)) && given < maxBytes; from++ {
		c := &schema.Command{}
		if err := proto.Unmarshal(s.log[from-1], c); err != nil {
			return from, err
		}
		if f := c.GetFrame(); f != nil {
			given += len(f)
			if err := fn(from, f); err != nil {
				return from, err
			}
		}
	}
	return from, nil
}

func (s *site) Store() *store.Store     { return s.store }
func (s *site) Hub() *live.Hub          { return s.hub }
func (s *site) Identity() *pki.Identity { return s.id }
func (s *site) Leadership() (<-chan bool, func()) {
	ch := make(chan bool, 1)
	ch <- true
	return ch, func() {}
}

// serve lets children in.
func (s *site) serve() {
	s.t.Helper()
	s.federate(s.upAddr)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	s.addr = l.Addr().String()
	opts := append(ServerOptions(s.id, nil, slog.New(slog.DiscardHandler)), grpc.StreamInterceptor(s.wire.stream))
	s.server = grpc.NewServer(opts...)
	s.fed.Register(s.server)
	server, fed := s.server, s.fed
	go func() { _ = server.Serve(l) }()
	s.stop = func() { fed.Close(); server.Stop() }
}

// dial links the site to a parent.
func (s *site) dial(parent *site) {
	s.t.Helper()
	s.dialAt(parent, parent.addr)
}

func (s *site) dialAt(parent *site, addr string) {
	s.t.Helper()
	before := s.stop
	if s.fed == nil || s.server == nil {
		s.federate(addr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	fed := s.fed
	go func() { defer close(done); _ = fed.Run(ctx) }()
	s.stop = func() {
		cancel()
		<-done
		if before != nil {
			before()
		}
	}
}

func (s *site) federate(addr string) {
	s.t.Helper()
	opt := Options{Site: s, Joined: s.joined, Version: "test", Grace: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(testWriter{s.t}, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if addr != "" {
		opt.Parent = Parent{Site: s.parent, Addrs: []string{addr}}
	}
	var err error
	s.fed, err = New(opt)
	must(s.t, err)
}

func (s *site) disconnect() {
	if s.stop != nil {
		s.stop()
	}
	s.stop, s.fed, s.server = nil, nil, nil
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", bytes.TrimSpace(b))
	}
	return len(b), nil
}

// put writes records of the site's own.
func (s *site) put(to string, records ...schema.Record) {
	s.t.Helper()
	p := &schema.Put{}
	for _, r := range records {
		raw, err := schema.Marshal(r)
		must(s.t, err)
		p.Changes = append(p.Changes, &schema.Change{Type: schema.TypeOf(r), Record: raw, To: to})
	}
	res, err := s.Propose(context.Background(), &schema.Command{Actor: "site", Body: &schema.Command_Put{Put: p}})
	must(s.t, err)
	if schema.Refuses(res.GetViolations()) {
		s.t.Fatalf("%s refuses %v", s.id.Name(), res.GetViolations())
	}
}

func (s *site) frame(samples ...frame.Sample) {
	s.t.Helper()
	res, err := s.Propose(context.Background(), &schema.Command{Actor: "gateway", Body: &schema.Command_Frame{Frame: frame.Append(nil, samples)}})
	must(s.t, err)
	if len(res.GetViolations()) > 0 {
		s.t.Fatal(res.GetViolations())
	}
}

// tickAt lets the site's clock pass a time.
func (s *site) tickAt(ms int64) {
	s.t.Helper()
	s.mu.Lock()
	s.clock = max(s.clock, ms)
	s.mu.Unlock()
	_, err := s.Propose(context.Background(), &schema.Command{Actor: "site", Body: &schema.Command_Tick{Tick: &schema.Tick{}}})
	must(s.t, err)
}

// sign puts the site's signature under its ledger.
func (s *site) sign() *schema.Checkpoint {
	s.t.Helper()
	c := s.checkpoint()
	_, err := s.Propose(context.Background(), &schema.Command{Actor: "site", Body: &schema.Command_Checkpoint{Checkpoint: c}})
	must(s.t, err)
	return c
}

func (s *site) checkpoint() *schema.Checkpoint {
	s.t.Helper()
	h, _ := s.store.Head(s.id.Name())
	c := &schema.Checkpoint{Origin: h.Origin, Epoch: h.Epoch, Seq: h.Seq, Digest: h.Digest[:], Time: time.Now().UnixMilli(), Certificate: s.id.SignCert()}
	var err error
	c.Signature, err = s.id.Sign(chain.CheckpointMessage(c.GetOrigin(), c.GetEpoch(), c.GetSeq(), h.Digest, c.GetTime()))
	must(s.t, err)
	return c
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// follows waits until one site's copy of another's ledger is the other's, signature and all.
func follows(t testing.TB, at, origin *site) {
	t.Helper()
	eventually(t, at.id.Name()+" has the ledger of "+origin.id.Name(), func() bool {
		a, _ := at.store.Head(origin.id.Name())
		b, _ := origin.store.Head(origin.id.Name())
		ca, _, _ := at.store.Signed(origin.id.Name(), b.Epoch, 0)
		cb, _, _ := origin.store.Signed(origin.id.Name(), b.Epoch, 0)
		return a == b && ca.GetSeq() == cb.GetSeq()
	})
}

func enterprise(code string) *schema.Enterprise {
	return &schema.Enterprise{
		Code: code, Name: "企业" + code[8:], Region: code[:6], Industry: "C33", MemIndustry: "machinery", Scale: "small", DustWorkers: 30, Employees: 60, Uscc: "91320505MA1000371T",
		ProductionState: "normal", AccessState: "connected", ShouldAccess: true, Dusts: []*schema.Dust{{Dust: "2"}}, UsccOverride: "test",
	}
}

// recorder keeps everything a parent's streams carried, as it was before TLCP, and may change it.
type recorder struct {
	mu     sync.Mutex
	in     []proto.Message
	out    []proto.Message
	tamper func(proto.Message)
}

func (r *recorder) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, &recorded{s, r})
}

type recorded struct {
	grpc.ServerStream
	r *recorder
}

func (s *recorded) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.r.mu.Lock()
		defer s.r.mu.Unlock()
		if s.r.tamper != nil {
			s.r.tamper(m.(proto.Message))
		}
		s.r.in = append(s.r.in, proto.Clone(m.(proto.Message)))
	}
	return err
}

func (s *recorded) SendMsg(m any) error {
	s.r.mu.Lock()
	s.r.out = append(s.r.out, proto.Clone(m.(proto.Message)))
	if s.r.tamper != nil {
		s.r.tamper(m.(proto.Message))
	}
	s.r.mu.Unlock()
	return s.ServerStream.SendMsg(m)
}

// carried says whether the bytes were in anything that came in (or went out).
func (r *recorder) carried(t testing.TB, secret string, in bool) bool {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.out
	if in {
		list = r.in
	}
	for _, m := range list {
		raw, err := proto.Marshal(m)
		must(t, err)
		if bytes.Contains(raw, []byte(secret)) {
			return true
		}
	}
	return false
}
