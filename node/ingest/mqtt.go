package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Limits of the broker.
const (
	mqttPacketBytes = 256 << 10
	mqttClients     = 10000
	mqttInflight    = 16
	mqttTakeTimeout = 30 * time.Second
)

// MQTT is the broker that gateways publish to. It distributes nothing between gateways: each publishes on
// dusthub/<its code>/up and may listen on dusthub/<its code>/down.
type MQTT struct {
	server *mqtt.Server
	done   context.CancelFunc
}

// NewMQTT makes a broker that serves a listener once it runs.
func NewMQTT(in *Intake, l net.Listener) (*MQTT, error) {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumPacketSize = mqttPacketBytes
	caps.MaximumClients = mqttClients
	caps.ReceiveMaximum = mqttInflight
	caps.TopicAliasMaximum = 0 // the library checks rights before it resolves an alias
	caps.RetainAvailable, caps.SharedSubAvailable, caps.WildcardSubAvailable = 0, 0, 0
	caps.MaximumSessionExpiryInterval = 3600
	// The library logs whole packets; what an operator needs to know the hook logs itself.
	s := mqtt.New(&mqtt.Options{Capabilities: caps, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.AddHook(&mqttHook{in: in, clients: s.Clients, ctx: ctx}, nil); err != nil {
		cancel()
		return nil, fmt.Errorf("make MQTT broker: %w", err)
	}
	if err := s.AddListener(listeners.NewNet("access", l)); err != nil {
		cancel()
		return nil, fmt.Errorf("make MQTT broker: %w", err)
	}
	return &MQTT{s, cancel}, nil
}

// Run serves until ctx ends.
func (m *MQTT) Run(ctx context.Context) error {
	defer m.done()
	if err := m.server.Serve(); err != nil {
		return fmt.Errorf("serve MQTT: %w", err)
	}
	<-ctx.Done()
	m.done()
	if err := m.server.Close(); err != nil {
		return fmt.Errorf("close MQTT broker: %w", err)
	}
	return nil
}

// mqttHook lets gateways in, holds them to their topics and takes what they publish. The library calls it on each client's own goroutine.
type mqttHook struct {
	mqtt.HookBase
	in      *Intake
	clients *mqtt.Clients
	ctx     context.Context // ends with the broker
}

func (h *mqttHook) ID() string { return "access" }

func (h *mqttHook) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish}, b) >= 0
}

// OnConnect takes a client's will away: the library would publish it without asking for its rights.
func (h *mqttHook) OnConnect(c *mqtt.Client, _ packets.Packet) error {
	c.Properties.Will = mqtt.Will{}
	return nil
}

// OnConnectAuthenticate checks gateway and secret, and that the client's id takes over nobody else's session.
func (h *mqttHook) OnConnectAuthenticate(c *mqtt.Client, pk packets.Packet) bool {
	ctx, cancel := context.WithTimeout(h.ctx, mqttTakeTimeout)
	defer cancel()
	name := string(pk.Connect.Username)
	host, _, err := net.SplitHostPort(c.Net.Remote)
	if err != nil {
		host = c.Net.Remote
	}
	if _, err := h.in.Authenticate(ctx, doorMQTT, host, name, string(pk.Connect.Password)); err != nil {
		h.in.opt.Logger.Info("MQTT client refused", "remote", c.Net.Remote, "gateway", clip(name), "err", err)
		return false
	}
	if other, ok := h.clients.Get(c.ID); ok && string(other.Properties.Username) != name {
		h.in.opt.Logger.Warn("MQTT client refused", "remote", c.Net.Remote, "gateway", name, "err", "its client id is another gateway's")
		return false
	}
	return true
}

func upTopic(gateway string) string   { return "dusthub/" + gateway + "/up" }
func downTopic(gateway string) string { return "dusthub/" + gateway + "/down" }

// OnACLCheck holds a gateway to its own two topics.
func (h *mqttHook) OnACLCheck(c *mqtt.Client, topic string, write bool) bool {
	name := string(c.Properties.Username)
	if write && topic == upTopic(name) || !write && topic == downTopic(name) {
		return true
	}
	h.in.denied.WithLabelValues(doorMQTT, "topic").Inc()
	h.in.opt.Logger.Warn("MQTT topic refused", "remote", c.Net.Remote, "gateway", name, "topic", clip(topic), "publish", write)
	return false
}

// OnPublish commits what a gateway published; only then the library acknowledges it. When it could not be committed a client of version 5 is told
// so by a reason code; older ones know no such thing, so the connection is closed without acknowledgement and the client sends again.
func (h *mqttHook) OnPublish(c *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	name := string(c.Properties.Username)
	ctx, cancel := context.WithTimeout(h.ctx, mqttTakeTimeout)
	defer cancel()
	b := &Batch{Gateway: name, Door: doorMQTT, Patient: true}
	out, err := h.take(ctx, b, pk.Payload)
	var code packets.Code
	switch {
	case err == nil && (len(out.Refused) == 0 || out.Stored+out.Duplicates+out.Conflicts > 0):
		return pk, nil
	case err == nil || errors.Is(err, errForm):
		code = packets.ErrPayloadFormatInvalid
		if c.Properties.ProtocolVersion < 5 {
			return pk, nil // it is in quarantine, and sending it again would not make it better
		}
	case errors.Is(err, ErrCredential):
		code = packets.ErrNotAuthorized
	default:
		code = packets.ErrServerBusy
		h.in.opt.Logger.Warn("MQTT message not taken", "gateway", name, "err", err)
	}
	if c.Properties.ProtocolVersion == 5 && pk.FixedHeader.Qos == 1 {
		return pk, code
	}
	if pk.FixedHeader.Qos > 0 {
		c.Stop(code)
	}
	return pk, packets.ErrRejectPacket
}

func (h *mqttHook) take(ctx context.Context, b *Batch, payload []byte) (Outcome, error) {
	payload = bytes.Clone(payload) // the library may use its buffer again
	if err := parseJSON(b, payload); err != nil {
		h.in.malformed(ctx, b, payload, err)
		return Outcome{}, err
	}
	return h.in.Take(ctx, b)
}
