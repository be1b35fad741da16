package demo

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"dusthub/deploy/demo/plants"
)

// photo is an image that goes with a disposal or a check-in.
type photo []byte

func hexBytes(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("decode hexadecimal: %w", err)
	}
	return b, nil
}

// pace is how long the people of the demonstration take for a step.
type pace struct{ Acknowledge, Dispose, FeedBack, Close time.Duration }

// The pace of a demonstration that is watched, and of one that is checked.
var (
	leisurely = pace{20 * time.Second, 45 * time.Second, 60 * time.Second, 75 * time.Second}
	brisk     = pace{1 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}
)

// crew are the people of one province: the plants' managers, who acknowledge, dispose and feed back, and the regulator on
// duty, who closes. They see what the portals' API shows them and nothing else.
type crew struct {
	site     *site
	pace     pace
	duty     *session
	managers map[string]*session // by enterprise
	log      *slog.Logger

	mu      sync.Mutex
	photos  map[string]string // attachment id by enterprise
	answers map[string]bool   // spot checks answered
	cleaned map[string]time.Time
}

func newCrew(s *site, all []plants.Plant, p pace, log *slog.Logger) *crew {
	c := &crew{
		site: s, pace: p, log: log, duty: newSession(s.regulator(), regulatorLogin(s), Password), managers: map[string]*session{},
		photos: map[string]string{}, answers: map[string]bool{}, cleaned: map[string]time.Time{},
	}
	for _, plant := range all {
		if plant.Site == s.ID {
			c.managers[plant.Code] = newSession(s.enterprise(), managerLogin(plant), Password)
		}
	}
	return c
}

// Run looks once a second and does what is due.
func (c *crew) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for name, job := range map[string]func(context.Context) error{"alarms": c.alarms, "warnings": c.warnings, "spot checks": c.spotChecks, "cleaning": c.cleaning} {
			if err := job(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("the crew could not do its work", "site", c.site.ID, "job", name, "err", err)
			}
		}
	}
}

type alarmView struct {
	Alarm struct {
		ID         string `json:"id"`
		Enterprise string `json:"enterprise"`
		Stage      string `json:"stage"`
		Condition  string `json:"condition"`
		Onset      int64  `json:"onset"`
		Level      int    `json:"level"`
		Rule       string `json:"rule"`
	} `json:"alarm"`
}

// next is the action an alarm asks for at this stage and age, and whether the regulator does it.
func (c *crew) next(stage, condition string, age time.Duration) (action string, regulator bool) {
	switch {
	case stage == "raised" && age > c.pace.Acknowledge:
		return "acknowledge", false
	case stage == "acknowledged" && age > c.pace.Dispose:
		return "dispose", false
	case stage == "disposed" && age > c.pace.FeedBack:
		return "feed_back", false
	case stage == "fed_back" && condition == "returned" && age > c.pace.Close:
		return "close", true
	}
	return "", false
}

func (c *crew) alarms(ctx context.Context) error {
	var list struct {
		Items []alarmView `json:"items"`
	}
	if err := c.duty.get(ctx, "/api/v1/alarms?stage=open&limit=200", &list); err != nil {
		return err
	}
	var errs []error
	for _, v := range list.Items {
		a := v.Alarm
		action, regulator := c.next(a.Stage, a.Condition, time.Since(time.UnixMilli(a.Onset)))
		if action == "" {
			continue
		}
		body := object{"action": action, "cause": causeOf(a.Rule)}
		switch action {
		case "dispose":
			body["text"] = "已派人到现场停机检查，清理并复位"
		case "feed_back":
			id, err := c.photoOf(ctx, a.Enterprise)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			body["text"], body["attachments"] = "处置完成，数值恢复正常", []string{id}
		case "close":
			body["text"] = "核实无误，予以核销"
		}
		who := c.managers[a.Enterprise]
		if regulator {
			who = c.duty
		}
		if who == nil {
			continue
		}
		errs = append(errs, late(who.post(ctx, "/api/v1/alarms/"+url.PathEscape(a.ID)+"/actions", body, nil)))
	}
	return errors.Join(errs...)
}

// late forgives an action that somebody else took in the meantime.
func late(err error) error {
	var status *statusError
	if errors.As(err, &status) && (status.Status == http.StatusUnprocessableEntity || status.Status == http.StatusConflict) && strings.Contains(status.Body, "life_cycle") {
		return nil
	}
	return err
}

func causeOf(rule string) string {
	switch rule {
	case "no_data", "source_lost":
		return "08"
	case "fan_before_production", "fan_delay_stop":
		return "06"
	case "H", "HH":
		return "04"
	case "L", "LL":
		return "05"
	}
	return "01"
}

type warningView struct {
	Warning struct {
		ID         string `json:"id"`
		Enterprise string `json:"enterprise"`
		Stage      string `json:"stage"`
		Raised     int64  `json:"raised"`
		Accepted   int64  `json:"accepted"`
	} `json:"warning"`
}

func (c *crew) warnings(ctx context.Context) error {
	var list struct {
		Items []warningView `json:"items"`
	}
	if err := c.duty.get(ctx, "/api/v1/warnings?stage=open&limit=200", &list); err != nil {
		return err
	}
	var errs []error
	for _, v := range list.Items {
		w := v.Warning
		age := time.Since(time.UnixMilli(w.Raised))
		body, who := object{}, c.managers[w.Enterprise]
		switch {
		case w.Stage == "raised" && age > c.pace.Dispose:
			body["action"], body["text"] = "dispose", "已组织停产排查并消除风险因素"
		case w.Stage == "disposed" && age > c.pace.FeedBack:
			body["action"], body["text"] = "feed_back", "风险因素已消除，请予复核"
		case w.Stage == "fed_back" && w.Accepted == 0 && age > c.pace.Close:
			body["action"], body["text"], who = "accept", "复核属实，认可反馈", c.duty
		default:
			continue
		}
		if who != nil {
			errs = append(errs, late(who.post(ctx, "/api/v1/warnings/"+url.PathEscape(w.ID)+"/actions", body, nil)))
		}
	}
	return errors.Join(errs...)
}

// spotChecks answers the checks that have been on the table for a while.
func (c *crew) spotChecks(ctx context.Context) error {
	var list struct {
		Items []struct {
			SpotCheck struct {
				ID         string `json:"id"`
				Enterprise string `json:"enterprise"`
				Stage      string `json:"stage"`
				Issued     int64  `json:"issued"`
			} `json:"spot_check"`
			Answers []object `json:"answers"`
		} `json:"items"`
	}
	if err := c.duty.get(ctx, "/api/v1/spot-checks?stage=issued&limit=50", &list); err != nil {
		return err
	}
	var errs []error
	for _, v := range list.Items {
		s := v.SpotCheck
		who := c.managers[s.Enterprise]
		if who == nil || len(v.Answers) > 0 || c.answers[s.ID] || time.Since(time.UnixMilli(s.Issued)) < c.pace.Dispose {
			continue
		}
		if err := who.post(ctx, "/api/v1/spot-checks/"+url.PathEscape(s.ID)+"/answer", object{"text": "已按要求自查，除尘系统运行正常，清扫制度已落实"}, nil); err != nil {
			errs = append(errs, err)
			continue
		}
		c.answers[s.ID] = true
	}
	return errors.Join(errs...)
}

// cleaning checks in at one plant after the other, so that every plant cleans once a shift.
func (c *crew) cleaning(ctx context.Context) error {
	for enterprise, who := range c.managers {
		if time.Since(c.cleaned[enterprise]) < plants.ShiftCycle/2 {
			continue
		}
		id, err := c.photoOf(ctx, enterprise)
		if err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		body := object{"id": fmt.Sprintf("%s-%d", enterprise, now), "plan": enterprise + "-floor", "item": "车间地面与梁架", "person": "李清扫", "time": now, "photos": []string{id}}
		if err := who.post(ctx, "/api/v1/cleaning/records", body, nil); err != nil {
			return err
		}
		c.cleaned[enterprise] = time.Now()
		return nil // one a second
	}
	return nil
}

// photoOf uploads a plant's photo once and returns its id.
func (c *crew) photoOf(ctx context.Context, enterprise string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := c.photos[enterprise]; id != "" {
		return id, nil
	}
	picture, err := drawPhoto(enterprise)
	if err != nil {
		return "", err
	}
	var answer struct {
		ID string `json:"id"`
	}
	if err := c.managers[enterprise].post(ctx, "/api/v1/attachments", picture, &answer); err != nil {
		return "", err
	}
	c.photos[enterprise] = answer.ID
	return answer.ID, nil
}
