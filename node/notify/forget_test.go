package notify

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"dusthub/schema"
)

func TestOldDeliveriesAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.alarm(func(a *schema.Alarm) { a.Id = "A-open" })
	w.alarm(func(a *schema.Alarm) { a.Id, a.Stage, a.StageDue = "A-closed", "closed", 0 })
	for _, d := range []*schema.Delivery{
		{Id: "closed, sent", Subject: "Alarm/A-closed", Stage: sent}, {Id: "closed, given up", Subject: "Alarm/A-closed", Stage: givenUp}, {Id: "subject gone", Subject: "Warning/W-gone", Stage: sent},
		{Id: "still called for", Subject: "Alarm/A-open", Stage: sent}, {Id: "waits", Subject: "Alarm/A-closed", Stage: failed},
	} {
		d.Login, d.Channel, d.Kind, d.At, d.Template, d.Title = "manager", "c", KindEmail, w.now().UnixMilli(), "alarm_raised", "T"
		w.write(d)
	}
	ids := func() []string {
		var out []string
		for _, d := range w.deliveries() {
			out = append(out, d.GetId())
		}
		return out
	}
	for _, c := range []struct {
		pass time.Duration
		want []string
	}{{keepFor, []string{"closed, given up", "closed, sent", "still called for", "subject gone", "waits"}}, {time.Millisecond, []string{"still called for", "waits"}}} {
		w.pass(c.pass)
		if next, err := w.leader.forget(t.Context(), 0); err != nil || next != 0 {
			t.Fatal(next, err)
		}
		if got := ids(); !slices.Equal(got, c.want) {
			t.Errorf("left %q, want %q", got, c.want)
		}
	}
}

// A run deletes a bounded number; the next goes on where it ended.
func TestForgettingIsBounded(t *testing.T) {
	w := newWorld(t)
	const all = forgetMost + 20
	var ds []schema.Record
	for i := range all {
		ds = append(ds, &schema.Delivery{
			Id: fmt.Sprint("D", i), Subject: "Alarm/gone", Login: "manager", Channel: "c", Kind: KindEmail, Stage: sent, At: w.now().UnixMilli() + int64(i/7), Template: "alarm_raised", Title: "T",
		})
	}
	w.write(ds...)
	w.pass(keepFor + time.Minute)
	w.replica.lead = false
	if _, err := w.leader.forget(t.Context(), 0); err != nil || len(w.deliveries()) != all {
		t.Fatal("one who does not lead deleted", err)
	}
	w.replica.lead = true
	next, err := w.leader.forget(t.Context(), 0)
	if err != nil || next == 0 || len(w.deliveries()) != all-forgetMost {
		t.Fatalf("%d left, next %d, %v", len(w.deliveries()), next, err)
	}
	if next, err = w.leader.forget(t.Context(), next); err != nil || next != 0 || len(w.deliveries()) != 0 {
		t.Errorf("%d left, next %d, %v", len(w.deliveries()), next, err)
	}
}

// Another leader's word went further: what this one says of the delivery is refused, and it does not insist.
func TestARefusedWordIsNotRepeated(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	w.channel(KindWebhook, "manager", h.URL)
	w.alarm()
	if err := w.leader.planOpen(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := 0
	w.cutBy(func(*schema.Command) error { said++; return errRefused })
	w.leader.deliver(t.Context(), w.delivery(KindWebhook).GetId())
	w.cutBy(nil)
	if said != 1 || len(h.ids()) != 1 {
		t.Errorf("said %d times, sent %d times", said, len(h.ids()))
	}
}
