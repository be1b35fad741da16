package portal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/schema"
)

// caller is a notifier that takes addresses with an @ and remembers what it tested.
type caller struct {
	mu     sync.Mutex
	tested []string
}

func (*caller) PushKey() string { return "BKey" }
func (*caller) Seal(kind string, address []byte) ([]byte, error) {
	if kind == "email" && !strings.Contains(string(address), "@") {
		return nil, errors.New("not an e-mail address")
	}
	return []byte("sealed:" + string(address)), nil
}

func (c *caller) Test(_ context.Context, ch *schema.Channel) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tested = append(c.tested, string(ch.GetAddressSealed()))
	if ch.GetName() == "broken" {
		return errors.New("answered 503")
	}
	return nil
}

func read[T any](t *testing.T, body []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return v
}

func TestChannels(t *testing.T) {
	c := &caller{}
	s := newSite(t, func(o *Options) { o.Notifier = c })
	const path = "/api/v1/channels"
	if got := s.as("manager-a", http.MethodPost, path, object{"kind": "email", "address": "nobody"}); got.status != http.StatusUnprocessableEntity || strings.Contains(string(got.body), "nobody") {
		t.Errorf("a wrong address: %d %s", got.status, got.body)
	}
	got := s.as("manager-a", http.MethodPost, path, object{"kind": "email", "address": "a@example.com", "name": "broken", "quiet_from": 1320, "quiet_until": 420})
	if got.status != http.StatusOK || strings.Contains(string(got.body), "example.com") || strings.Contains(string(got.body), "sealed") {
		t.Fatalf("new channel: %d %s", got.status, got.body)
	}
	made := read[ChannelView](t, got.body).Channel
	for login, want := range map[string]int{"manager-a": 1, "worker-a": 0, "admin": 0} {
		if list := read[Page[*ChannelView]](t, s.as(login, http.MethodGet, path, nil).body); len(list.Items) != want {
			t.Errorf("%s sees %d channels", login, len(list.Items))
		}
	}
	for _, login := range []string{"worker-a", "admin", "manager-b"} {
		for _, r := range [][2]string{{http.MethodDelete, ""}, {http.MethodPost, "/test"}} {
			if got := s.as(login, r[0], path+"/"+made.GetId()+r[1], object{}); got.status != http.StatusNotFound {
				t.Errorf("%s %s of another's channel: %d", login, r[0], got.status)
			}
		}
		if got := s.as(login, http.MethodPost, path, object{"id": made.GetId(), "disabled": true}); got.status != http.StatusNotFound {
			t.Errorf("%s changed another's channel: %d", login, got.status)
		}
	}
	test := func() reply { return s.as("manager-a", http.MethodPost, path+"/"+made.GetId()+"/test", object{}) }
	if got := read[ChannelTest](t, test().body); got.OK || got.Error != "answered 503" {
		t.Errorf("test of a broken channel: %+v", got)
	}
	if got := test(); got.status != http.StatusTooManyRequests {
		t.Errorf("a second test at once: %d", got.status)
	}
	s.pass(testEvery)
	// A change without an address keeps the one there is.
	s.as("manager-a", http.MethodPost, path, object{"id": made.GetId(), "name": "fine"})
	if got := read[ChannelTest](t, test().body); !got.OK || c.tested[1] != "sealed:a@example.com" {
		t.Errorf("test: %+v, %v", got, c.tested)
	}
	if got := s.as("manager-a", http.MethodDelete, path+"/"+made.GetId(), nil); got.status != http.StatusOK {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	for range channelsMost {
		s.as("worker-a", http.MethodPost, path, object{"kind": "webhook", "address": "https://x"})
	}
	if got := s.as("worker-a", http.MethodPost, path, object{"kind": "webhook", "address": "https://x"}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("one channel too many: %d", got.status)
	}
	if got := s.as("worker-a", http.MethodGet, "/api/v1/push-key", nil); !strings.Contains(string(got.body), "BKey") {
		t.Errorf("push key: %s", got.body)
	}
}

// What the pages send when quiet hours change: the channel still leads where it led, and is of the kind it was.
func TestQuietHoursKeepTheAddress(t *testing.T) {
	subscription := object{"endpoint": "https://push.example.com/x", "keys": object{"p256dh": "k", "auth": "a"}}
	for _, c := range []struct {
		kind   string
		where  object
		sealed string
	}{
		{"email", object{"address": "a@example.com"}, "sealed:a@example.com"}, {"webhook", object{"address": "https://example.com/hook"}, "sealed:https://example.com/hook"},
		{"sms", object{"address": "13800000000"}, "sealed:13800000000"}, {"portal", object{}, "sealed:manager-a"}, {"web_push", object{"subscription": subscription}, "push.example.com/x"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newSite(t, func(o *Options) { o.Notifier = &caller{} })
			const path = "/api/v1/channels"
			c.where["kind"] = c.kind
			made := read[ChannelView](t, s.as("manager-a", http.MethodPost, path, c.where).body).Channel
			address := func() string {
				row, _, err := s.backend.Store().Get("Channel", made.GetId())
				if err != nil {
					t.Fatal(err)
				}
				return string(row.Record.(*schema.Channel).GetAddressSealed())
			}
			before := address()
			for _, hours := range []object{{"quiet_from": 1320, "quiet_until": 420}, {"quiet_from": 60, "quiet_until": 300, "subscription": nil}, {"quiet_from": 0, "quiet_until": 0}} {
				hours["id"], hours["kind"] = made.GetId(), c.kind
				got := s.as("manager-a", http.MethodPost, path, hours)
				v := read[ChannelView](t, got.body).Channel
				if got.status != http.StatusOK || int(v.GetQuietFrom()) != hours["quiet_from"] || int(v.GetQuietUntil()) != hours["quiet_until"] || v.GetCreated() != made.GetCreated() {
					t.Fatalf("%d %s", got.status, got.body)
				}
				if now := address(); now != before || !strings.Contains(now, c.sealed) {
					t.Errorf("leads to %q, led to %q", now, before)
				}
			}
			other := map[bool]string{true: "sms", false: "email"}[c.kind == "email"]
			if got := s.as("manager-a", http.MethodPost, path, object{"id": made.GetId(), "kind": other}); got.status != http.StatusUnprocessableEntity {
				t.Errorf("it became %s: %d %s", other, got.status, got.body)
			}
		})
	}
}

func TestDeliveriesAreScoped(t *testing.T) {
	s := newSite(t)
	now := s.now().UnixMilli()
	for i, d := range []*schema.Delivery{{Login: "manager-a", Enterprise: plantA}, {Login: "suzhou", Enterprise: plantA}, {Login: "manager-b", Enterprise: plantB, Stage: "given_up", Error: "answered 400"}} {
		if d.GetStage() == "" {
			d.Stage = "sent"
		}
		d.Id, d.Subject, d.Channel, d.Kind, d.Template, d.Title, d.At = "D"+string(rune('1'+i)), "Alarm/AL-"+d.GetEnterprise(), "c-"+d.GetLogin(), "email", "alarm_raised", "报警", now+int64(i)
		s.put(d)
	}
	for _, c := range []struct{ login, query, want string }{
		{"manager-a", "", "D1"}, {"worker-a", "", ""}, {"manager-b", "", "D3"}, {"suzhou", "", "D2 D1"}, {"suzhou", "?mine=true", "D2"}, {"province", "", "D3 D2 D1"}, {"admin", "?stage=given_up", "D3"},
		{"admin", "?alarm=AL-" + plantA, "D2 D1"}, {"manager-a", "?alarm=AL-" + plantA, "D1"}, {"manager-a", "?channel=c-suzhou", ""}, {"province", "?channel=c-suzhou", "D2"}, {"province", "?warning=x", ""},
	} {
		var ids []string
		for _, d := range read[Page[*DeliveryView]](t, s.as(c.login, http.MethodGet, "/api/v1/deliveries"+c.query, nil).body).Items {
			ids = append(ids, d.Delivery.GetId())
			if d.ChannelName != "电子邮件" || d.SubjectTitle != "报警" {
				t.Errorf("view %+v", d)
			}
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%s%s: %q, want %q", c.login, c.query, got, c.want)
		}
	}
}

func TestAllowanceForgets(t *testing.T) {
	p, now := newAllowance(1, testEvery), time.Unix(1000, 0)
	p.kept = 1
	take := func(who string, at time.Time) bool { return p.take(who, at) == 0 }
	if !take("a", now) || take("a", now.Add(testEvery-1)) || !take("b", now) || !take("a", now.Add(testEvery)) || len(p.by) != 1 {
		t.Errorf("%v", p.by)
	}
}
