package demo

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"dusthub/deploy/demo/plants"
)

// shelfLife is how long the demonstration's shelved alarms stay shelved.
const shelfLife = 8 * time.Hour

// seed does, through the portals and as the people whose work it is, what nobody would see within a quarter of an hour of a demonstration:
// alarms shelved with approval and some that wait for it, a combined rule, a saved search. The major hazards stand in the base data
// (plants.Plant.Unsuited). What is there already, of an earlier start, stays as it is.
func (r *run) seed(ctx context.Context) error {
	ministry := newSession(r.sites[0].regulator(), regulatorLogin(r.sites[0]), Password)
	if err := savedSearch(ctx, ministry); err != nil {
		return err
	}
	for _, c := range r.crews {
		if err := savedSearch(ctx, c.duty); err != nil {
			return err
		}
		if err := c.shelves(ctx, r.plants); err != nil {
			return err
		}
		if err := c.rule(ctx, r.plants); err != nil {
			return err
		}
	}
	return nil
}

// absent says whether a list of an API has nothing in it.
func absent(ctx context.Context, s *session, path string) (bool, error) {
	var list struct {
		Items []object `json:"items"`
	}
	err := s.get(ctx, path, &list)
	return len(list.Items) == 0, err
}

func savedSearch(ctx context.Context, duty *session) error {
	none, err := absent(ctx, duty, "/api/v1/search/saved")
	if err != nil || !none {
		return err
	}
	return duty.post(ctx, "/api/v1/search/saved", object{"name": "较大及以上风险的木制品和铝镁企业", "query": "dust_category=1,3&level=red,orange"}, nil)
}

// shelves: one plant takes a collector out for maintenance, and the regulator on duty approves that; another has asked and waits.
func (c *crew) shelves(ctx context.Context, all []plants.Plant) error {
	var there struct {
		Items []struct {
			Shelf struct {
				Until int64 `json:"until"`
			} `json:"shelf"`
		} `json:"items"`
	}
	if err := c.duty.get(ctx, "/api/v1/shelves", &there); err != nil {
		return err
	}
	for _, v := range there.Items {
		if v.Shelf.Until > time.Now().UnixMilli() {
			return nil
		}
	}
	mine := c.plants(all)
	until := time.Now().Add(shelfLife).UnixMilli()
	var asked struct {
		Shelf struct {
			ID string `json:"id"`
		} `json:"shelf"`
	}
	first, last := mine[0], mine[len(mine)-1]
	u := first.Units[len(first.Units)-1]
	body := object{"collector": first.CollectorCode(u), "kind": "maintenance", "reason": "更换滤筒并检修卸灰阀，停机作业，专人监护", "until": until}
	if err := c.managers[first.Code].post(ctx, "/api/v1/shelves", body, &asked); err != nil {
		return err
	}
	if err := c.duty.post(ctx, "/api/v1/shelves/"+url.PathEscape(asked.Shelf.ID)+"/actions", object{"action": "approve", "text": "同意，作业结束后及时恢复"}, nil); err != nil {
		return err
	}
	u = last.Units[0]
	body = object{"metric": last.MetricCode(u, u.Points[1]), "kind": "maintenance", "reason": "压差变送器送检，预计当班装回", "until": until}
	return c.managers[last.Code].post(ctx, "/api/v1/shelves", body, nil)
}

// rule: a manager watches two points together.
func (c *crew) rule(ctx context.Context, all []plants.Plant) error {
	none, err := absent(ctx, c.duty, "/api/v1/rules")
	if err != nil || !none {
		return err
	}
	for _, p := range c.plants(all) {
		for _, u := range p.Units {
			if u.Wet() {
				continue
			}
			code := fmt.Sprintf("C%03d", u.Number)
			body := object{
				"name": "停机后灰斗仍然偏热", "expression": fmt.Sprintf("%sT0101 > 55.0 && %sR0101 == 0.0", code, code), "level": 2, "on_delay_ms": 10_000,
				"reason": "停机后温度不降，可能有积灰阴燃",
			}
			return c.managers[p.Code].post(ctx, "/api/v1/rules", body, nil)
		}
	}
	return nil
}

// plants are those of the crew's province.
func (c *crew) plants(all []plants.Plant) []plants.Plant {
	var out []plants.Plant
	for _, p := range all {
		if p.Site == c.site.ID {
			out = append(out, p)
		}
	}
	return out
}
