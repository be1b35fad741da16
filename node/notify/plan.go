package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"
)

// Stages of a delivery (code table delivery_state).
const (
	queued  = "queued"
	held    = "held"
	sent    = "sent"
	failed  = "failed"
	givenUp = "given_up"
)

// unfinished are the stages of what is still to be sent.
var unfinished = []string{queued, held, failed}

// call is that somebody is to be called now.
type call struct {
	subject    string // "Alarm/…"
	enterprise string
	priority   string
	escalation int32
	id         string // which call of the subject
	levels     []string
	template   string
	rec        schema.Record
}

// Whom a call names, from the plant upwards (code table escalation). At the plant a worker is called by the first level alone.
const (
	handler  = "handler"
	safety   = "safety"
	county   = "county"
	city     = "city"
	province = "province"
)

var ladder = []string{handler, safety, county, city, province}

// priorityOf is how urgent a warning is.
var priorityOf = map[string]string{"red": schema.Critical, "orange": schema.High, "yellow": schema.Medium, "blue": schema.Low}

// callOf is the call a record asks for; false when it asks for none: it is over, fed back, or shelved (F2.2, F2.3).
func callOf(rec schema.Record) (call, bool) {
	switch r := rec.(type) {
	case *schema.Alarm:
		if r.GetCalls() == 0 || r.GetSuppressed() || r.GetStageDue() == 0 {
			return call{}, false
		}
		c := call{subject: "Alarm/" + r.GetId(), enterprise: r.GetEnterprise(), priority: r.GetPriority(), escalation: r.GetEscalation(), rec: r, template: "alarm_reminder"}
		c.id = fmt.Sprintf("%s/%d/%d/%x", c.subject, r.GetEscalation(), r.GetCalls(), r.GetStageDue())
		c.levels = ladder[:min(int(r.GetEscalation())+1, len(ladder))]
		switch {
		case r.GetCalls() == 1:
			c.template = "alarm_raised"
		case r.GetEscalation() > 0:
			c.template = "alarm_escalation"
		}
		return c, true
	case *schema.Warning:
		if r.GetCalls() == 0 || r.GetStage() == "fed_back" || r.GetStage() == "closed" || r.GetClosed() != 0 {
			return call{}, false
		}
		c := call{subject: "Warning/" + r.GetId(), enterprise: r.GetEnterprise(), priority: priorityOf[r.GetToLevel()], rec: r, template: "warning_reminder"}
		c.id = fmt.Sprintf("%s/0/%d/%x", c.subject, r.GetCalls(), r.GetDue())
		for _, level := range r.GetReceivers() {
			if level == "enterprise" {
				c.levels = append(c.levels, handler)
				continue
			}
			c.levels = append(c.levels, level)
		}
		if r.GetCalls() == 1 {
			c.template = "warning_raised"
		}
		return c, true
	}
	return call{}, false
}

// planOpen plans the calls of everything that is open, and counts what waits.
func (n *Notifier) planOpen(ctx context.Context) error {
	var waiting int64
	for _, stage := range unfinished {
		err := n.opt.Site.Store().Each(ctx, store.Query{Type: "Delivery", Index: "stage,next", Prefix: []string{stage}}, func(store.Row) (bool, error) {
			waiting++
			return true, nil
		})
		if err != nil {
			return fmt.Errorf("count deliveries: %w", err)
		}
	}
	n.waiting.Store(waiting)
	for _, q := range []store.Query{
		{Type: "Alarm", Index: "stage,onset", Prefix: []string{"raised"}}, {Type: "Alarm", Index: "stage,onset", Prefix: []string{"acknowledged"}},
		{Type: "Alarm", Index: "stage,onset", Prefix: []string{"disposed"}}, {Type: "Warning", Index: "stage,raised", Prefix: []string{"raised"}},
		{Type: "Warning", Index: "stage,raised", Prefix: []string{"disposed"}},
	} {
		if err := n.opt.Site.Store().Each(ctx, q, func(r store.Row) (bool, error) { return true, n.planRows(ctx, []store.Row{r}) }); err != nil {
			return fmt.Errorf("plan calls of %s: %w", q.Type, err)
		}
	}
	return nil
}

// planRows writes the deliveries that changed records ask for and that are not there yet.
func (n *Notifier) planRows(ctx context.Context, rows []store.Row) error {
	var records []schema.Record
	for _, r := range rows {
		c, ok := callOf(r.Record)
		if !ok {
			continue
		}
		planned, err := n.plan(ctx, c)
		if err != nil {
			return err
		}
		records = append(records, planned...)
	}
	const atOnce = 200
	for part := range slices.Chunk(records, atOnce) {
		if err := n.put(ctx, part...); err != nil {
			return err
		}
		for _, r := range part {
			d := r.(*schema.Delivery)
			n.metrics.planned.WithLabelValues(d.GetKind(), d.GetStage()).Inc()
			if slices.Contains(unfinished, d.GetStage()) {
				n.waiting.Add(1)
			}
		}
		n.poke()
	}
	return nil
}

// plan makes the deliveries of a call: one for every channel of everybody it names.
func (n *Notifier) plan(ctx context.Context, c call) ([]schema.Record, error) {
	people, err := n.recipients(ctx, c)
	if err != nil || len(people) == 0 {
		return nil, err
	}
	title, text := n.words(c)
	var out []schema.Record
	var more int64
	for _, u := range people {
		channels, err := n.channels(ctx, u.GetLogin())
		if err != nil {
			return nil, err
		}
		for _, ch := range channels {
			id := c.id + "/" + ch.GetId()
			if _, there, err := n.opt.Site.Store().Get("Delivery", id); err != nil || there || !wants(ch, c.priority) {
				if err != nil {
					return nil, fmt.Errorf("read delivery: %w", err)
				}
				continue
			}
			now := n.opt.Now().UnixMilli()
			d := &schema.Delivery{
				Id: id, Subject: c.subject, Enterprise: c.enterprise, Login: u.GetLogin(), Channel: ch.GetId(), Kind: ch.GetKind(), Priority: c.priority,
				Stage: queued, At: now, Next: now, Escalation: c.escalation, Template: c.template, Title: title, Text: text,
			}
			if more += n.first(d, more); d.GetStage() == givenUp {
				n.metrics.full.Inc()
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// first settles what needs no sending: the record itself is the message in the portal, and a full queue takes no more. The
// highest priority may fill it twice. more are about to wait, too; it returns how many this one adds.
func (n *Notifier) first(d *schema.Delivery, more int64) int64 {
	room := int64(n.cfg.Queue)
	if d.GetPriority() == schema.Critical {
		room *= 2
	}
	switch {
	case d.GetKind() == KindPortal:
		d.Stage, d.Sent, d.Next, d.Tries = sent, d.GetAt(), 0, 1
	case n.waiting.Load()+more >= room:
		d.Stage, d.Next, d.Error = givenUp, 0, "queue full"
	default:
		return 1
	}
	return 0
}

// wants says whether a channel is for calls of a priority.
func wants(c *schema.Channel, priority string) bool {
	return !c.GetDisabled() && slices.Index(schema.PriorityOrder, priority) >= slices.Index(schema.PriorityOrder, c.GetPriority())
}

// portalChannel is the channel everybody has without asking for it.
func portalChannel(login string) *schema.Channel {
	return &schema.Channel{Id: "portal-" + login, Login: login, Kind: KindPortal, Name: "站内消息"}
}

// channels are a person's own and the portal, unless he set that one himself.
func (n *Notifier) channels(ctx context.Context, login string) ([]*schema.Channel, error) {
	out := []*schema.Channel{}
	own := false
	err := n.opt.Site.Store().Each(ctx, store.Query{Type: "Channel", Index: "login", Prefix: []string{login}}, func(r store.Row) (bool, error) {
		c := r.Record.(*schema.Channel)
		own = own || c.GetKind() == KindPortal
		out = append(out, c)
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	if !own {
		out = append(out, portalChannel(login))
	}
	return out, nil
}

// recipients are the people a call names, by login. A level of regulators where nobody is passes its calls to the next above.
func (n *Notifier) recipients(ctx context.Context, c call) ([]*schema.User, error) {
	row, ok, err := n.opt.Site.Store().Get("Enterprise", c.enterprise)
	if err != nil || !ok {
		return nil, err
	}
	region := row.Record.(*schema.Enterprise).GetRegion()
	var out []*schema.User
	above := map[string][]*schema.User{}
	for _, of := range []string{c.enterprise, ""} {
		err := n.opt.Site.Store().Each(ctx, store.Query{Type: "User", Index: "enterprise", Prefix: []string{of}}, func(r store.Row) (bool, error) {
			u := r.Record.(*schema.User)
			switch level := levelOf(u, region); {
			case u.GetDisabled() || level == "":
			case of == "":
				above[level] = append(above[level], u)
			case level == safety || slices.Contains(c.levels, handler):
				out = append(out, u)
			}
			return true, nil
		})
		if err != nil {
			return nil, fmt.Errorf("read users: %w", err)
		}
	}
	regulators := ladder[2:]
	for i, level := range regulators {
		switch {
		case !slices.Contains(c.levels, level):
		case len(above[level]) == 0 && i+1 < len(regulators):
			c.levels = append(slices.Clone(c.levels), regulators[i+1])
		default:
			out = append(out, above[level]...)
		}
	}
	slices.SortFunc(out, func(a, b *schema.User) int { return strings.Compare(a.GetLogin(), b.GetLogin()) })
	return out, nil
}

// levelOf is where a person stands towards a plant of a region; empty: nowhere.
func levelOf(u *schema.User, region string) string {
	switch u.GetRole() {
	case "plant_worker":
		return handler
	case "plant_manager":
		return safety
	case "province_regulator":
	default:
		return ""
	}
	of := u.GetRegion()
	switch {
	case len(of) != 6 || len(region) != 6:
		return ""
	case strings.HasSuffix(of, "0000"):
		if of[:2] == region[:2] {
			return province
		}
	case strings.HasSuffix(of, "00"):
		if of[:4] == region[:4] {
			return city
		}
	case of == region:
		return county
	}
	return ""
}
