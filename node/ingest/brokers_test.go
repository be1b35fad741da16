package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/node/ingest"
	. "dusthub/node/ingest/ingesttest"
	"dusthub/schema/frame"
	"dusthub/schema/rpc"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// broker is a site with its MQTT door on a real listener.
type broker struct {
	*Site
	addr string
}

func newBroker(t *testing.T) broker {
	t.Helper()
	s := New(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ingest.NewMQTT(s.Intake, l)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return broker{s, l.Addr().String()}
}

// client connects as a gateway over MQTT 5.
func (b broker) client(t *testing.T, id, gateway, secret string, will *paho.WillMessage) (*paho.Client, *paho.Connack, error) {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := paho.NewClient(paho.ClientConfig{ClientID: id, Conn: conn})
	t.Cleanup(func() { _ = c.Disconnect(&paho.Disconnect{}); conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ack, err := c.Connect(ctx, &paho.Connect{ClientID: id, KeepAlive: 30, CleanStart: true, Username: gateway, UsernameFlag: true, Password: []byte(secret), PasswordFlag: true, WillMessage: will})
	return c, ack, err
}

func (b broker) mustConnect(t *testing.T, id, gateway string) *paho.Client {
	t.Helper()
	c, _, err := b.client(t, id, gateway, Secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func publish(c *paho.Client, topic, payload string) (byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	go func() {
		select {
		case <-c.Done(): // closed by the broker: nothing to wait for
			cancel()
		case <-ctx.Done():
		}
	}()
	r, err := c.Publish(ctx, &paho.Publish{QoS: 1, Topic: topic, Payload: []byte(payload)})
	if r == nil {
		return 0xff, err
	}
	return r.ReasonCode, err
}

func reading(metric string, at int64) string {
	return fmt.Sprintf(`{"samples":[{"metric":%q,"time":%d,"value":36.5}]}`, metric, at)
}

func TestMQTT5(t *testing.T) {
	b := newBroker(t)
	c := b.mustConnect(t, Gateway, Gateway)
	at := now()
	for _, x := range []struct {
		name, topic, payload string
		code                 byte
	}{
		{"good", "dusthub/" + Gateway + "/up", reading(Temperature, at), 0},
		{"sent again", "dusthub/" + Gateway + "/up", reading(Temperature, at), 0},
		{"topic of another gateway", "dusthub/" + OtherGateway + "/up", reading(OtherMetric, at), 0x87},
		{"another topic", "other", reading(Temperature, at), 0x87},
		{"down", "dusthub/" + Gateway + "/down", reading(Temperature, at), 0x87},
		{"metric of another gateway", "dusthub/" + Gateway + "/up", reading(OtherMetric, at), 0x99},
		{"no JSON", "dusthub/" + Gateway + "/up", "hello", 0x99},
	} {
		if code, err := publish(c, x.topic, x.payload); code != x.code {
			t.Errorf("%s: reason %#x, %v, wanted %#x", x.name, code, err, x.code)
		}
	}
	if len(b.Points(t, Temperature)) != 1 || len(b.Points(t, OtherMetric)) != 0 || len(b.Quarantine(t)) != 2 {
		t.Errorf("%d points, %d of the other plant, quarantine %v", len(b.Points(t, Temperature)), len(b.Points(t, OtherMetric)), b.Quarantine(t))
	}
	b.Down(true)
	if code, _ := publish(c, "dusthub/"+Gateway+"/up", reading(Temperature, at+1)); code != 0x89 {
		t.Errorf("no leader: reason %#x, wanted server busy", code)
	}
	b.Down(false)
	if code, err := publish(c, "dusthub/"+Gateway+"/up", reading(Temperature, at+1)); code != 0 {
		t.Errorf("on the same connection afterwards: %#x %v", code, err)
	}
}

func TestMQTTStrangers(t *testing.T) {
	b := newBroker(t)
	for _, x := range []struct{ name, id, gateway, secret string }{
		{"wrong secret", "x", Gateway, "wrong"}, {"unknown", "x", "nobody", Secret}, {"nobody", "x", "", ""},
	} {
		if _, ack, err := b.client(t, x.id, x.gateway, x.secret, nil); err == nil {
			t.Errorf("%s: let in, %+v", x.name, ack)
		}
	}
	first := b.mustConnect(t, "shared-id", Gateway)
	if _, _, err := b.client(t, "shared-id", OtherGateway, Secret, nil); err == nil {
		t.Error("another gateway took over a session")
	}
	if code, err := publish(first, "dusthub/"+Gateway+"/up", reading(Temperature, now())); code != 0 {
		t.Errorf("the first gateway suffers: %#x %v", code, err)
	}
}

func TestMQTTListensToItsOwnTopicOnly(t *testing.T) {
	b := newBroker(t)
	c := b.mustConnect(t, Gateway, Gateway)
	for topic, want := range map[string]byte{
		"dusthub/" + Gateway + "/down": 1, "dusthub/" + OtherGateway + "/down": 0x87, "dusthub/" + Gateway + "/up": 0x87, "#": 0x87, "$SYS/broker/version": 0x87, "dusthub/+/down": 0x87, "$share/x/dusthub/" + OtherGateway + "/down": 0x87,
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		ack, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}}})
		cancel()
		if ack == nil || len(ack.Reasons) != 1 || ack.Reasons[0] != want {
			t.Errorf("subscribe %s: %+v, %v, wanted %#x", topic, ack, err, want)
		}
	}
}

func TestMQTTWillGoesNowhere(t *testing.T) {
	b := newBroker(t)
	heard := make(chan string, 1)
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other := paho.NewClient(paho.ClientConfig{ClientID: OtherGateway, Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) { heard <- p.Packet.Topic; return true, nil },
	}})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err = other.Connect(ctx, &paho.Connect{ClientID: OtherGateway, KeepAlive: 30, CleanStart: true, Username: OtherGateway, UsernameFlag: true, Password: []byte(Secret), PasswordFlag: true}); err != nil {
		t.Fatal(err)
	}
	if _, err = other.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "dusthub/" + OtherGateway + "/down", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	dying := paho.NewClient(paho.ClientConfig{ClientID: "dying", Conn: raw})
	if _, err := dying.Connect(ctx, &paho.Connect{ClientID: "dying", KeepAlive: 30, CleanStart: true, Username: Gateway, UsernameFlag: true, Password: []byte(Secret), PasswordFlag: true,
		WillMessage: &paho.WillMessage{Topic: "dusthub/" + OtherGateway + "/down", Payload: []byte("open the valve")}}); err != nil {
		t.Fatal(err)
	}
	raw.Close()
	if code, err := publish(other, "dusthub/"+OtherGateway+"/up", reading(OtherMetric, now())); code != 0 {
		t.Fatalf("%#x %v", code, err)
	}
	select {
	case topic := <-heard:
		t.Errorf("the will arrived on %s", topic)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestMQTTMessageTooLarge(t *testing.T) {
	b := newBroker(t)
	c := b.mustConnect(t, "large", Gateway)
	if code, err := publish(c, "dusthub/"+Gateway+"/up", strings.Repeat(" ", 300<<10)); err == nil {
		t.Errorf("taken: %#x", code)
	}
	if code, err := publish(b.mustConnect(t, "small", Gateway), "dusthub/"+Gateway+"/up", reading(Temperature, now())); code != 0 {
		t.Errorf("afterwards: %#x %v", code, err)
	}
}

// TestMQTTReconnects: a client of the kind the demonstration uses loses no reading when the site is away for a moment.
func TestMQTTReconnects(t *testing.T) {
	b := newBroker(t)
	u, err := url.Parse("mqtt://" + b.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, KeepAlive: 20, ConnectUsername: Gateway, ConnectPassword: []byte(Secret),
		ReconnectBackoff: autopaho.NewConstantBackoff(10 * time.Millisecond), ClientConfig: paho.ClientConfig{ClientID: Gateway},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Disconnect(ctx) }()
	if err := c.AwaitConnection(ctx); err != nil {
		t.Fatal(err)
	}
	at := now()
	send := func(i int64) error {
		_, err := c.Publish(ctx, &paho.Publish{QoS: 1, Topic: "dusthub/" + Gateway + "/up", Payload: []byte(reading(Temperature, at+i))})
		return err
	}
	for i := range int64(20) {
		b.Down(i == 7)
		for send(i) != nil {
			b.Down(false)
		}
	}
	if n := len(b.Points(t, Temperature)); n != 20 {
		t.Errorf("%d readings, wanted 20", n)
	}
}

func TestMosquitto(t *testing.T) {
	program, err := exec.LookPath("mosquitto_pub") //nolint:misspell // the program's name
	if err != nil {
		t.Skip("mosquitto_pub is not installed (Debian package mosquitto-clients)") //nolint:misspell // the program's name
	}
	for _, version := range []string{"mqttv311", "mqttv5"} {
		t.Run(version, func(t *testing.T) {
			b := newBroker(t)
			_, port, err := net.SplitHostPort(b.addr)
			if err != nil {
				t.Fatal(err)
			}
			pub := func(topic, payload, secret string) (string, error) {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				out, err := exec.CommandContext(ctx, program, "-V", version, "-h", "127.0.0.1", "-p", port, "-u", Gateway, "-P", secret, "-q", "1", "-t", topic, "-m", payload).CombinedOutput()
				return string(out), err
			}
			if out, err := pub("dusthub/"+Gateway+"/up", reading(Temperature, now()), Secret); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			if len(b.Points(t, Temperature)) != 1 {
				t.Error("acknowledged but not stored")
			}
			if out, err := pub("dusthub/"+Gateway+"/up", reading(Temperature, now()), "wrong"); err == nil {
				t.Errorf("wrong secret: let in: %s", out)
			}
			if _, err := pub("dusthub/"+OtherGateway+"/up", reading(OtherMetric, now()), Secret); err == nil && version == "mqttv311" {
				t.Error("topic of another gateway: published")
			}
			if len(b.Points(t, OtherMetric)) != 0 {
				t.Error("a reading of another plant is stored")
			}
		})
	}
}

// TestMQTT311IsNotAcknowledgedWithoutCommit: the old protocol cannot say no, so the connection ends and the client sends again.
func TestMQTT311IsNotAcknowledgedWithoutCommit(t *testing.T) {
	b := newBroker(t)
	at := now()
	conn := connect311(t, b.addr)
	b.Down(true)
	publish311(t, conn, "dusthub/"+Gateway+"/up", reading(Temperature, at))
	if packet := read311(conn); packet != nil {
		t.Fatalf("got packet %x instead of the connection's end", packet)
	}
	b.Down(false)
	conn = connect311(t, b.addr)
	publish311(t, conn, "dusthub/"+Gateway+"/up", reading(Temperature, at))
	if packet := read311(conn); len(packet) != 4 || packet[0] != 0x40 {
		t.Fatalf("got %x, wanted a PUBACK", packet)
	}
	if len(b.Points(t, Temperature)) != 1 {
		t.Error("acknowledged but not stored")
	}
}

func text311(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }

func packet311(head byte, body []byte) []byte {
	out := []byte{head}
	for n := len(body); ; {
		d := byte(n % 128)
		if n /= 128; n > 0 {
			d |= 128
		}
		out = append(out, d)
		if n == 0 {
			return append(out, body...)
		}
	}
}

func connect311(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	body := append(text311("MQTT"), 4, 0xC2, 0, 30)
	for _, s := range []string{"old", Gateway, Secret} {
		body = append(body, text311(s)...)
	}
	if _, err := conn.Write(packet311(0x10, body)); err != nil {
		t.Fatal(err)
	}
	if p := read311(conn); len(p) != 4 || p[0] != 0x20 || p[3] != 0 {
		t.Fatalf("CONNACK %x", p)
	}
	return conn
}

func publish311(t *testing.T, conn net.Conn, topic, payload string) {
	t.Helper()
	body := append(append(text311(topic), 0, 1), payload...)
	if _, err := conn.Write(packet311(0x32, body)); err != nil {
		t.Fatal(err)
	}
}

func read311(conn net.Conn) []byte {
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 64)
	n, err := conn.Read(buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

// gate is a site with its gRPC door over TLCP.
type gate struct {
	*Site
	addr string
	ca   *pki.CA
}

func issue(t *testing.T, ca *pki.CA, name, unit string) *pki.Identity {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "id")
	if err := ca.Issue(dir, name, unit, []string{"127.0.0.1"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	id, err := pki.LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newCA(t *testing.T) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(t.TempDir(), "test CA")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newGate(t *testing.T) gate {
	t.Helper()
	g := gate{Site: New(t, nil), ca: newCA(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.addr = l.Addr().String()
	srv := grpc.NewServer(grpc.Creds(tlcp.ServerCredentials(issue(t, g.ca, ID, pki.UnitSite), nil, slog.New(slog.DiscardHandler))))
	rpc.RegisterAccessServer(srv, ingest.NewAccess(g.Intake))
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	return g
}

func (g gate) stream(t *testing.T, id *pki.Identity) rpc.Access_SendClient {
	t.Helper()
	c, err := grpc.NewClient(g.addr, grpc.WithTransportCredentials(tlcp.ClientCredentials(id, ID)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	s, err := rpc.NewAccessClient(c).Send(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func exchange(s rpc.Access_SendClient, m *rpc.Samples) (*rpc.SamplesAck, error) {
	if err := s.Send(m); err != nil {
		_, err = s.Recv()
		return nil, err
	}
	return s.Recv()
}

func TestAccessOverTLCP(t *testing.T) {
	g := newGate(t)
	s := g.stream(t, issue(t, g.ca, Gateway, pki.UnitGateway))
	at := now()
	batch := &rpc.Samples{Batch: 7, Gateway: Gateway, Metrics: []*rpc.MetricSamples{
		{Metric: Temperature, Times: []int64{at, at + 1, at + 2}, Values: []float64{1, math.NaN(), 3}, Quality: []uint32{0, 0, 3}},
		{Metric: OtherMetric, Times: []int64{at}, Values: []float64{1}},
	}}
	ack, err := exchange(s, batch)
	if err != nil || ack.GetBatch() != 7 || ack.GetStored() != 2 || len(ack.GetViolations()) != 2 {
		t.Fatalf("%v, %v", ack, err)
	}
	p := g.Points(t, Temperature)
	if len(p) != 2 || p[0].Value != 1 || p[1].Quality != frame.Fault {
		t.Errorf("points %v", p)
	}
	if ack, err = exchange(s, batch); err != nil || ack.GetStored() != 0 || ack.GetDuplicates() != 2 {
		t.Errorf("sent again: %v, %v", ack, err)
	}
	if ack, err = exchange(s, &rpc.Samples{SourceLost: true}); err != nil || len(g.Heard()) != 1 {
		t.Errorf("heartbeat: %v, %v, heard %v", ack, err, g.Heard())
	}
}

func TestAccessRefusals(t *testing.T) {
	g := newGate(t)
	good := issue(t, g.ca, Gateway, pki.UnitGateway)
	one := []*rpc.MetricSamples{{Metric: Temperature, Times: []int64{now()}, Values: []float64{1}}}
	for _, c := range []struct {
		name string
		id   *pki.Identity
		m    *rpc.Samples
		want codes.Code
	}{
		{"a site's certificate", issue(t, g.ca, "shandong", pki.UnitSite), &rpc.Samples{Metrics: one}, codes.Unauthenticated},
		{"a gateway this site does not have", issue(t, g.ca, "320505039999G01", pki.UnitGateway), &rpc.Samples{Metrics: one}, codes.PermissionDenied},
		{"another CA", issue(t, newCA(t), Gateway, pki.UnitGateway), &rpc.Samples{Metrics: one}, codes.Unavailable},
		{"under another's name", good, &rpc.Samples{Gateway: OtherGateway, Metrics: one}, codes.PermissionDenied},
		{"columns do not fit", good, &rpc.Samples{Metrics: []*rpc.MetricSamples{{Metric: Temperature, Times: []int64{1, 2}, Values: []float64{1}}}}, codes.InvalidArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == codes.Unavailable { // the handshake fails; grpc would try until the deadline
				conn, err := tlcp.Dial(context.Background(), g.addr, c.id, ID)
				if err == nil {
					conn.Close()
					t.Error("connected")
				}
				return
			}
			if _, err := exchange(g.stream(t, c.id), c.m); status.Code(err) != c.want {
				t.Errorf("error %v, wanted %s", err, c.want)
			}
		})
	}
	if n := len(g.Points(t, Temperature)); n != 0 {
		t.Errorf("%d readings stored", n)
	}
	g.Down(true)
	if _, err := exchange(g.stream(t, good), &rpc.Samples{Metrics: one}); status.Code(err) != codes.Unavailable {
		t.Errorf("no leader: %v", err)
	}
}
