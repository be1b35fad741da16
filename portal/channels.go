package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Notifier is what the portal needs of those who call people.
type Notifier interface {
	// PushKey is the public key browsers subscribe with.
	PushKey() string
	// Seal checks a channel's address and seals it for its record. Errors say what is wrong with it.
	Seal(kind string, address []byte) ([]byte, error)
	// Test sends a message through a channel at once. Errors hold neither address nor secret.
	Test(ctx context.Context, c *schema.Channel) error
}

// ChannelView is a channel with how it did. Its address is never shown.
type ChannelView struct {
	Channel  *schema.Channel `json:"channel" doc:"without its address"`
	KindName string          `json:"kind_name"`
	State    ChannelState    `json:"state"`
}

// ChannelState is how a channel's newest deliveries went.
type ChannelState struct {
	Sent      int    `json:"sent" doc:"of the newest 200"`
	Failed    int    `json:"failed" doc:"failed or given up, of the newest 200"`
	LastSent  int64  `json:"last_sent,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

const (
	newestDeliveries = 200
	channelsMost     = 10 // of one person
	pushKind         = "web_push"
	portalKind       = "portal"
)

func (s *Server) channelView(ctx context.Context, r store.Row) (*ChannelView, error) {
	c := proto.CloneOf(r.Record.(*schema.Channel))
	c.AddressSealed = nil
	v := &ChannelView{Channel: c, KindName: schema.CodeName("channel_kind", c.GetKind())}
	seen := 0
	q := store.Query{Type: "Delivery", Index: "channel,at", Prefix: []string{c.GetId()}, Desc: true}
	err := s.opt.Backend.Store().Each(ctx, q, func(r store.Row) (bool, error) {
		d := r.Record.(*schema.Delivery)
		switch d.GetStage() {
		case "sent":
			v.State.Sent++
			v.State.LastSent = max(v.State.LastSent, d.GetSent())
		case "failed", "given_up":
			v.State.Failed++
			if v.State.LastError == "" {
				v.State.LastError = d.GetError()
			}
		}
		seen++
		return seen < newestDeliveries, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return v, nil
}

// ownChannels are a viewer's channels.
func (s *Server) ownChannels(ctx context.Context, v *viewer) ([]store.Row, error) {
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "Channel", Index: "login", Prefix: []string{v.user.GetLogin()}})
	if err != nil {
		return nil, fmt.Errorf("list channels: %w", err)
	}
	return page.Rows, nil
}

func (s *Server) channels(ctx context.Context, v *viewer, _ *none) (*Page[*ChannelView], error) {
	rows, err := s.ownChannels(ctx, v)
	if err != nil {
		return nil, err
	}
	out := &Page[*ChannelView]{Items: []*ChannelView{}}
	for _, r := range rows {
		c, err := s.channelView(ctx, r)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, c)
	}
	return out, nil
}

type channelInput struct {
	Body struct {
		ID           string          `json:"id,omitempty" maxLength:"64" doc:"of the channel to change; a new one is given one"`
		Kind         string          `json:"kind,omitempty" enum:"portal,web_push,email,webhook,sms" doc:"needed for a new channel"`
		Name         string          `json:"name,omitempty" maxLength:"100"`
		Address      string          `json:"address,omitempty" maxLength:"2000" doc:"e-mail address, URL or mobile number; left out: as it is"`
		Subscription json.RawMessage `json:"subscription,omitempty" kinds:"object" doc:"kind web_push: the browser's PushSubscription {endpoint, keys: {p256dh, auth}}"`
		Priority     string          `json:"priority,omitempty" enum:"low,medium,high,critical" doc:"called from this priority on"`
		QuietFrom    int32           `json:"quiet_from,omitempty" minimum:"0" maximum:"1439" doc:"minute of the Beijing day; equal to quiet_until: none"`
		QuietUntil   int32           `json:"quiet_until,omitempty" minimum:"0" maximum:"1439"`
		Disabled     bool            `json:"disabled,omitempty"`
	}
}

// writeChannel adds or changes a channel of one's own. What a change leaves out is cleared; kind and address stay.
func (s *Server) writeChannel(ctx context.Context, v *viewer, in *channelInput) (*ChannelView, error) {
	b := in.Body
	c := &schema.Channel{Id: b.ID, Login: v.user.GetLogin(), Kind: b.Kind, Created: s.nowMs()}
	write := s.created
	if b.ID != "" {
		row, err := s.ownChannel(v, b.ID)
		if err != nil {
			return nil, err
		}
		old := row.Record.(*schema.Channel)
		if b.Kind != "" && b.Kind != old.GetKind() {
			return nil, invalid("body.kind", "the channel's own kind, "+old.GetKind(), b.Kind)
		}
		c.Kind, c.Created, c.AddressSealed, write = old.GetKind(), old.GetCreated(), old.GetAddressSealed(), s.change
	} else if err := s.roomForChannel(ctx, v, b.Kind); err != nil {
		return nil, err
	}
	if c.GetId() == "" {
		c.Id = s.freshID("N")
	}
	c.Name, c.Priority, c.QuietFrom, c.QuietUntil, c.Disabled = b.Name, b.Priority, b.QuietFrom, b.QuietUntil, b.Disabled
	if err := s.address(c, b.Address, b.Subscription); err != nil {
		return nil, err
	}
	if _, err := s.put(ctx, v.user, write(c)); err != nil {
		return nil, err
	}
	row, err := s.ownChannel(v, c.GetId())
	if err != nil {
		return nil, err
	}
	return s.channelView(ctx, row)
}

// address seals what was given as a channel's address.
func (s *Server) address(c *schema.Channel, address string, subscription json.RawMessage) error {
	given, field := []byte(address), "body.address"
	switch c.GetKind() {
	case "":
		return invalid("body.kind", "a kind of channel", "")
	case pushKind:
		given, field = bytes.TrimSpace(subscription), "body.subscription"
		if bytes.Equal(given, []byte("null")) {
			given = nil
		}
	case portalKind:
		given = []byte(c.GetLogin())
	}
	if len(given) == 0 && len(c.GetAddressSealed()) > 0 {
		return nil
	}
	if s.opt.Notifier == nil {
		return unavailable("notifications are not set up")
	}
	sealed, err := s.opt.Notifier.Seal(c.GetKind(), given)
	if err != nil {
		return invalid(field, err.Error(), "(not shown)")
	}
	c.AddressSealed = sealed
	return nil
}

// roomForChannel bounds how many channels a person has; the portal is one only.
func (s *Server) roomForChannel(ctx context.Context, v *viewer, kind string) error {
	rows, err := s.ownChannels(ctx, v)
	if err != nil {
		return err
	}
	if len(rows) >= channelsMost {
		return invalid("body", fmt.Sprintf("at most %d channels", channelsMost), len(rows)+1)
	}
	if kind == portalKind && slices.ContainsFunc(rows, func(r store.Row) bool { return r.Record.(*schema.Channel).GetKind() == portalKind }) {
		return invalid("body.kind", "one portal channel", "two")
	}
	return nil
}

// ownChannel reads a channel of one's own; for all others it is not there.
func (s *Server) ownChannel(v *viewer, id string) (store.Row, error) {
	row, ok, err := s.opt.Backend.Store().Get("Channel", id)
	if err != nil {
		return row, fmt.Errorf("read channel: %w", err)
	}
	if c, _ := row.Record.(*schema.Channel); !ok || c.GetLogin() != v.user.GetLogin() {
		return row, notFound("Channel", id)
	}
	return row, nil
}

func ownChannelScope(s *Server, v *viewer, param func(string) string) error {
	_, err := s.ownChannel(v, param("id"))
	return err
}

func (s *Server) deleteChannel(ctx context.Context, v *viewer, in *idInput) (*Keys, error) {
	if _, err := s.put(ctx, v.user, &schema.Change{Type: "Channel", Key: in.ID, Deleted: true}); err != nil {
		return nil, err
	}
	return &Keys{Keys: []string{in.ID}}, nil
}

// ChannelTest is what became of a test message.
type ChannelTest struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
	TookMs int64  `json:"took_ms"`
}

const testEvery = 10 * time.Second // a person's tests: a channel is no means to flood somebody

func (s *Server) testChannel(ctx context.Context, v *viewer, in *idInput) (*ChannelTest, error) {
	row, err := s.ownChannel(v, in.ID)
	if err != nil {
		return nil, err
	}
	if s.opt.Notifier == nil {
		return nil, unavailable("notifications are not set up")
	}
	if s.tests.take(v.user.GetLogin(), s.opt.Now()) > 0 {
		p := problem(http.StatusTooManyRequests, codeThrottled, "one test in %s", testEvery)
		p.RetryAfter = int(testEvery.Seconds())
		return nil, p
	}
	begun := time.Now()
	out := &ChannelTest{OK: true}
	if err := s.opt.Notifier.Test(ctx, row.Record.(*schema.Channel)); err != nil {
		out.OK, out.Error = false, err.Error()
	}
	out.TookMs = time.Since(begun).Milliseconds()
	return out, nil
}

// PushKey is the site's key for web push.
type PushKey struct {
	Key string `json:"key" doc:"public VAPID key, base64url"`
}

func (s *Server) pushKey(context.Context, *viewer, *none) (*PushKey, error) {
	if s.opt.Notifier == nil {
		return nil, unavailable("notifications are not set up")
	}
	return &PushKey{s.opt.Notifier.PushKey()}, nil
}

// DeliveryView is a delivery with the names a person reads.
type DeliveryView struct {
	Delivery     *schema.Delivery `json:"delivery"`
	ChannelName  string           `json:"channel_name"`
	SubjectTitle string           `json:"subject_title"`
}

func (s *Server) deliveryView(r store.Row) *DeliveryView {
	d := r.Record.(*schema.Delivery)
	name := s.nameOf("Channel", d.GetChannel())
	if name == "" || name == d.GetChannel() {
		name = schema.CodeName("channel_kind", d.GetKind())
	}
	return &DeliveryView{Delivery: d, ChannelName: name, SubjectTitle: d.GetTitle()}
}

type deliveriesInput struct {
	Alarm   string `query:"alarm"`
	Warning string `query:"warning"`
	Channel string `query:"channel"`
	Mine    bool   `query:"mine" doc:"one's own alone"`
	Stage   string `query:"stage" enum:"queued,held,sent,failed,given_up"`
	After   string `query:"after" doc:"cursor"`
	Limit   int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func deliveryAt(r schema.Record) int64 { return r.(*schema.Delivery).GetAt() }

// deliveries lists one's own; regulators and administrators see those about plants in their sight, too.
func (s *Server) deliveries(ctx context.Context, v *viewer, in *deliveriesInput) (*Page[*DeliveryView], error) {
	q := store.Query{Type: "Delivery", Index: "at"}
	switch {
	case in.Alarm != "":
		q.Index, q.Prefix = "subject,at", []string{"Alarm/" + in.Alarm}
	case in.Warning != "":
		q.Index, q.Prefix = "subject,at", []string{"Warning/" + in.Warning}
	case in.Channel != "":
		q.Index, q.Prefix = "channel,at", []string{in.Channel}
	case in.Mine || v.portal == Enterprise:
		q.Index, q.Prefix = "login,at", []string{v.user.GetLogin()}
	}
	rows, next, err := s.list(ctx, newest{
		queries: []store.Query{q}, time: deliveryAt, after: in.After, limit: in.Limit, recent: areaRecent(typeDelivery, v, len(q.Prefix) > 0),
		// One's own are in sight wherever their plant is.
		beside: []store.Query{{Type: typeDelivery, Index: "login,at", Prefix: []string{v.user.GetLogin()}}},
		keep: func(r store.Row) bool {
			d := r.Record.(*schema.Delivery)
			return s.seesDelivery(v, d) && (!in.Mine || d.GetLogin() == v.user.GetLogin()) && (in.Stage == "" || d.GetStage() == in.Stage) &&
				(in.Channel == "" || d.GetChannel() == in.Channel) && (in.Alarm == "" || strings.HasPrefix(d.GetSubject(), "Alarm/"))
		},
	})
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, s.deliveryView), nil
}

// seesDelivery says whether a viewer may know of a delivery.
func (s *Server) seesDelivery(v *viewer, d *schema.Delivery) bool {
	return d.GetLogin() == v.user.GetLogin() || v.portal == Regulator && s.sees(v, d.GetEnterprise())
}

// worksAt says whether a person is of a plant.
func (s *Server) worksAt(login, plant string) bool {
	row, ok, err := s.opt.Backend.Store().Get("User", login)
	u, _ := row.Record.(*schema.User)
	return err == nil && ok && plant != "" && u.GetEnterprise() == plant
}

func (d *door) channelRoutes() {
	s := d.s
	handle(d, "channels", s.channels)
	handle(d, "channel-write", s.writeChannel)
	handle(d, "channel-delete", s.deleteChannel)
	handle(d, "channel-test", s.testChannel)
	handle(d, "push-key", s.pushKey)
	handle(d, "deliveries", s.deliveries)
}
