package portal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// serve opens both portals on loopback and returns their addresses.
func (s *site) serve() map[Portal]string {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listeners, addrs := map[Portal]net.Listener{}, map[Portal]string{}
	for _, p := range both {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		listeners[p], addrs[p] = l, "http://"+l.Addr().String()
	}
	done := make(chan error, 1)
	go func() { done <- s.server.ServeOn(ctx, listeners) }()
	s.t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				s.t.Error(err)
			}
		case <-time.After(2 * shutdownWithin):
			s.t.Error("the portal did not shut down")
		}
	})
	return addrs
}

// event is one server-sent event.
type event struct{ name, data string }

// watch opens an event stream and returns what comes out of it.
func (s *site) watch(base, login, query string) <-chan event {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, base+"/api/v1/events"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: s.server.doors[portalOf(login)].cookieName(), Value: s.tokens[login]})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		s.t.Fatalf("stream: %d %v", res.StatusCode, res.Header)
	}
	out := make(chan event, 100)
	go func() {
		defer close(out)
		defer res.Body.Close()
		var e event
		for sc := bufio.NewScanner(res.Body); sc.Scan(); {
			switch name, value, _ := strings.Cut(sc.Text(), ": "); name {
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					out <- e
				}
				e = event{}
			}
		}
	}()
	return out
}

func next(t testing.TB, ch <-chan event, name string) event {
	t.Helper()
	for {
		select {
		case e, ok := <-ch:
			if !ok {
				t.Fatalf("the stream ended before %s", name)
			}
			if e.name == name {
				return e
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no %s", name)
		}
	}
}

func TestEvents(t *testing.T) {
	s := newSite(t)
	addr := s.serve()
	ministry, suzhou, a := s.watch(addr[Regulator], "ministry", ""), s.watch(addr[Regulator], "suzhou", ""), s.watch(addr[Enterprise], "manager-a", "")
	for _, ch := range []<-chan event{ministry, suzhou, a} {
		next(t, ch, "hello")
	}
	// First what plant A and a city's regulator may not hear of, then what they may: if they heard the first, it comes first.
	s.put(&schema.Alarm{Id: "AL-b2", Enterprise: plantB, Rule: "H", Level: 1, Onset: 1, Condition: "active", Stage: "raised"})
	s.put(&schema.Session{Id: strings.Repeat("c", 64), Login: "ministry", Portal: "regulator"})
	s.put(&schema.Alarm{Id: "AL-a2", Enterprise: plantA, Rule: "H", Level: 1, Onset: 1, Condition: "active", Stage: "raised"})
	for name, c := range map[string]struct {
		ch   <-chan event
		keys []string
	}{"ministry": {ministry, []string{"AL-b2", "AL-a2"}}, "suzhou": {suzhou, []string{"AL-a2"}}, "manager-a": {a, []string{"AL-a2"}}} {
		for _, key := range c.keys {
			var got ChangeEvent
			if err := json.Unmarshal([]byte(next(t, c.ch, "change").data), &got); err != nil || got.Key != key || got.Type != "Alarm" || got.Origin != siteID || got.Seq == 0 {
				t.Errorf("%s: %+v (%v), wanted %s", name, got, err, key)
			}
		}
	}
}

func TestEventsLatest(t *testing.T) {
	s := newSite(t)
	ch := s.watch(s.serve()[Enterprise], "manager-a", "?enterprise="+plantA)
	next(t, ch, "hello")
	at := s.now().UnixMilli()
	if _, err := s.backend.Propose(t.Context(), &schema.Command{Body: &schema.Command_Frame{Frame: frame.Append(nil, []frame.Sample{{Series: 1, Time: at, Value: 42}})}}); err != nil {
		t.Fatal(err)
	}
	var got LatestEvent
	if err := json.Unmarshal([]byte(next(t, ch, "latest").data), &got); err != nil || got.Enterprise != plantA || len(got.Values) != 1 || got.Values[0].Value != 42 || got.Values[0].Time != at {
		t.Errorf("latest: %+v (%v)", got, err)
	}
}

func TestEventsAreRefused(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		portal       Portal
		login, query string
		status       int
	}{{Regulator, "", "", 401}, {Enterprise, "manager-a", "?enterprise=" + plantB, 404}, {Regulator, "suzhou", "?enterprise=" + plantB, 404}, {Enterprise, "ministry", "", 401}} {
		if got := s.on(c.portal, c.login, http.MethodGet, "/api/v1/events"+c.query, nil); got.status != c.status {
			t.Errorf("%s %s: %d, wanted %d", c.login, c.query, got.status, c.status)
		}
	}
	for range streamsPerUser {
		if !s.server.streams.enter("ministry") {
			t.Fatal("refused too early")
		}
	}
	if got := s.as("ministry", http.MethodGet, "/api/v1/events", nil); got.status != http.StatusTooManyRequests {
		t.Errorf("one stream too many: %d", got.status)
	}
}

// A browser that is too slow is told to read anew, and nobody waits for it (T2).
func TestSlowStream(t *testing.T) {
	s := newSite(t)
	near, far := net.Pipe()
	defer far.Close()
	slow := &stream{s: s.server, topic: topic{Regulator, ""}, conn: near, wake: make(chan struct{}, 1)}
	s.server.fanout.join(slow)
	batch := []live.Event{{Rows: []store.Row{rowOf(&schema.Site{Id: "below", Name: "x", Level: "city"})}}}
	for range streamQueue + 1 { // the last does not fit
		s.server.fanout.hand(batch)
	}
	text := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(far)
		text <- string(b)
	}()
	<-slow.wake
	if err := slow.drain(); err != nil {
		t.Fatal(err)
	}
	near.Close()
	if got := <-text; strings.Count(got, "event: change\n") != streamQueue || strings.Count(got, "event: resync\n") != 1 {
		t.Errorf("stream: %s", got)
	}
	s.server.fanout.hand([]live.Event{{Lost: true}})
	if !slow.lost {
		t.Error("what the hub lost is not told")
	}
	if s.server.fanout.part(slow); len(s.server.fanout.by) != 0 {
		t.Error("a stream that ended is still kept")
	}
}

// A connection that takes only a part of what is written at once gets the rest behind it, in order, and whole (T2).
func TestStreamTakesAPart(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := near.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	st := &stream{s: s.server, conn: near, raw: raw, wake: make(chan struct{}, 1)}
	var want []byte
	for i := range streamQueue { // far more than the system keeps for a browser that does not read
		buf := bytes.Repeat([]byte{byte('a' + i)}, 2<<20)
		want = append(want, buf...)
		st.offer(buf, false)
	}
	if len(st.queue) == 0 || len(st.queue[0]) == 2<<20 || st.lost {
		t.Fatalf("%d buffers wait (lost %v): the connection took nothing, or all", len(st.queue), st.lost)
	}
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(far)
		got <- b
	}()
	<-st.wake
	if err := st.drain(); err != nil {
		t.Fatal(err)
	}
	st.offer([]byte("end"), false) // written at once: nothing stands before it
	if len(st.queue) != 0 {
		t.Error("the last was queued")
	}
	near.Close()
	if b := <-got; !bytes.Equal(b, append(want, "end"...)) {
		t.Errorf("%d bytes came, other than the %d written", len(b), len(want)+3)
	}
}

// TestStopBeforeServing: a portal that is stopped before it served at all ends at once, whoever of the two is first.
func TestStopBeforeServing(t *testing.T) {
	for range 20 {
		s := newSite(t)
		listeners, err := Listen(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		done := make(chan error, 1)
		go func() { done <- s.server.ServeOn(ctx, listeners) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("it still serves")
		}
	}
}
