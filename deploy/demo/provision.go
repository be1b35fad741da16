package demo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"dusthub/deploy/demo/plants"
	"dusthub/deploy/demo/sim"
)

// Password of every person of the demonstration. They exist on loopback only.
const Password = "Dusthub-Demo-2026" //nolint:gosec // known to everybody

type object = map[string]any

// change is one record in the form of POST /api/v1/records.
func change(typ string, record object) object { return object{"type": typ, "record": record} }

// baseData is everything a province knows of a plant before the first reading.
func baseData(p plants.Plant) []object {
	out := []object{
		change("Enterprise", object{
			"code": p.Code, "uscc": p.USCC, "name": p.Name, "region": p.Region, "lng": p.Lng, "lat": p.Lat, "industry": p.Industry, "mem_industry": p.MemInd,
			"scale": p.Scale, "employees": p.Staff, "dust_workers": p.Workers, "max_shift_workers": (p.Workers + 1) / 2, "production_state": "normal",
			"access_state": "connected", "should_access": true, "dusts": []object{{"dust": p.Dust, "daily_yield_kg": 40}},
			"safety_head": "陈安全", "safety_phone": "13800000000", "address": p.Name + "厂区",
		}),
		change("Workshop", object{"code": p.WorkshopCode(), "enterprise": p.Code, "name": p.Process + "车间", "building": p.Building, "area_m2": 1200, "max_workers": p.Workers, "unsuited_electrical": p.Unsuited}),
		change("Gateway", object{"code": p.GatewayCode(), "enterprise": p.Code, "name": "采集网关", "door": string(p.Door)}),
	}
	for _, u := range p.Units {
		out = append(out,
			change("DustSystem", object{"code": p.SystemCode(u), "enterprise": p.Code, "workshop": p.WorkshopCode(), "name": fmt.Sprintf("%d号除尘系统", u.Number), "mode": u.Mode, "dusts": []string{p.Dust}, "process": p.Process}),
			change("Collector", object{
				"code": p.CollectorCode(u), "enterprise": p.Code, "system": p.SystemCode(u), "name": fmt.Sprintf("%d号除尘器", u.Number), "type": u.Type,
				"location": "outdoor", "air_volume_m3h": 18000, "measures": u.Measures, "lock_gas_device": u.Lock, "spark_device": u.Spark,
			}))
		for _, pt := range u.Points {
			out = append(out, change("Metric", metric(p, u, pt)))
		}
	}
	return append(out, cleaning(p)...)
}

func metric(p plants.Plant, u plants.Unit, pt plants.Point) object {
	limits := object{"on_delay_ms": pt.DelayMs, "off_delay_ms": 2000}
	for k, v := range pt.Limits {
		limits[k] = v
	}
	if len(pt.Limits) > 0 {
		limits["deadband"] = (pt.Hi - pt.Lo) * 0.01
	}
	if pt.Fault > 0 {
		limits["fault_state"], limits["fault_level"] = 1, pt.Fault
	}
	return object{
		"code": p.MetricCode(u, pt), "enterprise": p.Code, "collector": p.CollectorCode(u), "gateway": p.GatewayCode(), "kind": pt.Kind, "name": pt.Name,
		"unit": pt.Unit, "range_lo": pt.Lo, "range_hi": pt.Hi, "limits": limits, "period_s": 1, "required_class": "required",
	}
}

func cleaning(p plants.Plant) []object {
	return []object{
		change("CleaningPlan", object{"id": p.Code + "-floor", "enterprise": p.Code, "workshop": p.WorkshopCode(), "item": p.Process + "车间地面与梁架", "cycle": "shift", "method": "ex_vacuum", "responsible": "李清扫"}),
		change("CleaningPlan", object{"id": p.Code + "-duct", "enterprise": p.Code, "workshop": p.WorkshopCode(), "item": "风管与除尘器外部", "cycle": "week", "method": "vacuum", "responsible": "王清扫"}),
	}
}

// person is somebody who can log in.
type person struct{ Login, Name, Role, Region, Enterprise string }

func people(s *site, all []plants.Plant) []person {
	if s.Level == "ministry" {
		return []person{{"bu01", "赵值班", "ministry_regulator", "", ""}}
	}
	out := []person{{s.ID[:2] + "01", "钱值班", "province_regulator", s.Region, ""}}
	for _, p := range all {
		if p.Site == s.ID {
			out = append(out, person{managerLogin(p), "陈安全", "plant_manager", "", p.Code}, person{workerLogin(p), "李清扫", "plant_worker", "", p.Code})
		}
	}
	return out
}

func regulatorLogin(s *site) string {
	if s.Level == "ministry" {
		return "bu01"
	}
	return s.ID[:2] + "01"
}

func managerLogin(p plants.Plant) string { return "m" + p.Code[8:] }
func workerLogin(p plants.Plant) string  { return "w" + p.Code[8:] }

// provision brings base data, people and credentials to a site through its administrators' API. Running it again changes nothing.
func provision(ctx context.Context, admin, security *session, s *site, all []plants.Plant) error {
	for _, p := range all {
		if p.Site != s.ID {
			continue
		}
		if err := admin.post(ctx, "/api/v1/records", object{"changes": baseData(p)}, nil); err != nil {
			return fmt.Errorf("base data of %s: %w", p.Name, err)
		}
	}
	return letIn(ctx, security, people(s, all))
}

// letIn makes the logins that are not there yet.
func letIn(ctx context.Context, security *session, people []person) error {
	for _, who := range people {
		err := security.post(ctx, "/api/v1/users", object{"login": who.Login, "name": who.Name, "role": who.Role, "region": who.Region, "enterprise": who.Enterprise, "password": Password}, nil)
		var status *statusError
		if errors.As(err, &status) && status.Status == http.StatusConflict {
			continue
		}
		if err != nil {
			return fmt.Errorf("user %s: %w", who.Login, err)
		}
	}
	return nil
}

// credentials gives every gateway that needs a secret one, and keeps them in a file for the next start.
func credentials(ctx context.Context, dir string, admins map[string]*session, all []plants.Plant) (map[string]sim.Credential, error) {
	path := filepath.Join(dir, "credentials.json")
	known := map[string]sim.Credential{}
	if b, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(b, &known); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	for _, p := range all {
		if _, ok := known[p.GatewayCode()]; ok || p.Door == plants.Modbus {
			continue
		}
		kind := "token"
		if p.Door == plants.SM4 {
			kind = "sm4"
		}
		var answer struct{ Secret, AppID, AppSecret, Key, IV string }
		if err := admins[p.Site].post(ctx, "/api/v1/gateways/"+p.GatewayCode()+"/credential", object{"kind": kind}, &answer); err != nil {
			return nil, fmt.Errorf("credential of %s: %w", p.Name, err)
		}
		c := sim.Credential{Gateway: p.GatewayCode(), Secret: answer.Secret, AppID: answer.AppID, AppSecret: answer.AppSecret}
		var err error
		if c.Key, err = decodeKey(answer.Key); err != nil {
			return nil, fmt.Errorf("key of %s: %w", p.Name, err)
		}
		if c.IV, err = decodeKey(answer.IV); err != nil {
			return nil, fmt.Errorf("IV of %s: %w", p.Name, err)
		}
		known[p.GatewayCode()] = c
	}
	b, err := json.Marshal(known) //nolint:gosec // the simulators' own credentials, kept readable by their owner only
	if err != nil {
		return nil, fmt.Errorf("encode credentials: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("keep credentials: %w", err)
	}
	return known, nil
}

// decodeKey reads key material as the API gives it: hexadecimal.
func decodeKey(s string) ([]byte, error) {
	if len(s) == 2*16 {
		return hexBytes(s)
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("neither hexadecimal nor base64: %w", err)
	}
	return b, nil
}
