// Package nation makes up a country of plants, the same for the same size: base data, and what a site would have judged of it.
// It is for measuring how lists, maps and search behave when the country is large (portal, TestNation).
package nation

import (
	"fmt"
	"strings"

	"dusthub/schema"
)

// Size of the country the guide speaks of, and how many series a plant has, so that they come to 300,000 in all.
const (
	Plants        = 43_000
	SeriesOfPlant = 7
)

// Beginning of what is judged, ms; days and hours of alarms are counted back from it.
const Beginning = 1_790_000_000_000

const (
	hourMs        = 3_600_000
	alarmEvery    = 9  // one plant in so many has an open alarm
	warnEvery     = 13 // and a warning
	silentEvery   = 17 // and is off line
	closedEvery   = 3  // and an alarm of earlier days that is over
	unlockedEvery = 23 // and has no lock-air device, which some dusts demand
	hazardEvery   = 11 // and a major hidden danger
	checkedEvery  = 19 // and was checked, on line
	shelfEvery    = 18 // and has alarms shelved
	ruleEvery     = 5  // and a combined rule of its own
	strangeEvery  = 16 // and sent what was refused
	spread        = 7919
	hot           = 150 // °C in a hopper
)

var (
	trades = []struct{ industry, trade, dust, name string }{
		{"C33", "machinery", "2", "金属制品"}, {"C20", "light", "17", "木业"}, {"C17", "textile", "26", "纺织"}, {"C33", "machinery", "2", "铝业"}, {"C36", "machinery", "2", "汽车配件"},
	}
	// Plants differ in what protects them, so that their levels do.
	measures = [][]string{{"venting"}, {"venting", "isolation"}, {"suppression"}, {"venting"}, {"inerting"}, {"venting"}, nil, {"venting"}}
	words    = strings.Split("华东,长江,宏达,新兴,恒盛,金源,永丰,鑫达,天成,瑞祥,德信,百川,东方,万顺,中汇", ",")
	kinds    = []struct {
		kind, name, unit string
		high, low, span  float64 // end of the range; what is measured lies between low and low+span
	}{{"T01", "灰斗温度", "°C", 200, 25, 20}, {"P01", "进出口压差", "Pa", 3000, 700, 300}, {"K01", "锁气卸灰", "0/1", 1, 0, 0}}
	levels = []string{schema.Blue, schema.Blue, schema.Blue, schema.Yellow, schema.Yellow, schema.Orange, schema.Red}
)

// Counties are the codes of the country's counties, from the region table.
func Counties() []string {
	var out []string
	if t, ok := schema.Table("region"); ok {
		for _, c := range t.GetCodes() {
			if code := c.GetCode(); !strings.HasSuffix(code, "00") {
				out = append(out, code)
			}
		}
	}
	return out
}

// Plant is the i-th plant of the country, spread over its counties: what it has, and what was judged of it.
func Plant(i int, counties []string) []schema.Record {
	out := Base(i, counties)
	for n := range SeriesOfPlant { // what a site gives a metric when it first sees it
		out[len(out)-SeriesOfPlant+n].(*schema.Metric).Series = uint32(n + 1 + i*SeriesOfPlant)
	}
	return append(out, judged(i, Code(i, counties))...)
}

// Code is the code of the i-th plant.
func Code(i int, counties []string) string {
	return fmt.Sprintf("%s03%04d", counties[i*spread%len(counties)], i/len(counties)+1)
}

// Base is what the i-th plant has, as a site takes it in before anything was measured; its metrics come last.
func Base(i int, counties []string) []schema.Record {
	t, code := trades[i%len(trades)], Code(i, counties)
	return base(i, code, code[:6], t.industry, t.trade, t.dust, words[i%len(words)]+words[i/7%len(words)]+t.name+"有限公司")
}

// Reading is one value of a metric.
type Reading struct {
	Metric string
	Value  float64
}

// Readings are what the i-th plant measures in a round: one plant in nine has a hopper that is too hot (T01 above its limit).
func Readings(i, round int, counties []string) []Reading {
	collector := Code(i, counties) + "C001"
	out := make([]Reading, SeriesOfPlant)
	for n := range out {
		k := kinds[n%len(kinds)]
		wave := float64((i*31 + n*17 + round*7) % 100)
		out[n] = Reading{fmt.Sprintf("%s%s%02d", collector, k.kind, n/len(kinds)+1), k.low + k.span*wave/100}
	}
	if i%alarmEvery == 0 {
		out[0].Value = hot
	}
	return out
}

func base(i int, code, county, industry, trade, dust, name string) []schema.Record {
	collector, gateway := code+"C001", code+"G01"
	out := []schema.Record{
		&schema.Enterprise{
			Code: code, Name: name, Region: county, Industry: industry, MemIndustry: trade, Scale: "small", Uscc: "91320505MA1000371T", UsccOverride: "made up",
			DustWorkers: int32(i * 31 % 120), Employees: int32(i*31%120 + 20), Address: name + "厂区", SafetyHead: "陈安全", SafetyPhone: "13800000000", ProductionState: "normal", AccessState: "connected", ShouldAccess: true, Dusts: []*schema.Dust{{Dust: dust}},
		},
		&schema.Workshop{Code: code + "W01", Enterprise: code, Name: "打磨车间", Building: "single_frame", AreaM2: 900, MaxWorkers: 9},
		&schema.DustSystem{Code: code + "S01", Enterprise: code, Workshop: code + "W01", Name: "1号除尘系统", Mode: "negative", Dusts: []string{dust}},
		&schema.Collector{
			Code: collector, Enterprise: code, System: code + "S01", Name: "1号除尘器", Type: "dry_bag", Location: "outdoor", AirVolumeM3H: 18000,
			Measures: measures[i%len(measures)], LockGasDevice: i%unlockedEvery != 0, SparkDevice: true,
		},
		&schema.CleaningPlan{Id: code + "-floor", Enterprise: code, Workshop: code + "W01", Item: "地面与梁架", Cycle: "week", Method: "ex_vacuum", Responsible: "李清扫"},
		&schema.Gateway{Code: gateway, Enterprise: code, Name: "采集网关", Door: "http"},
	}
	for n := range SeriesOfPlant {
		k := kinds[n%len(kinds)]
		out = append(out, &schema.Metric{
			Code: fmt.Sprintf("%s%s%02d", collector, k.kind, n/len(kinds)+1), Enterprise: code, Collector: collector, Gateway: gateway, Kind: k.kind, Name: k.name, Unit: k.unit,
			RangeHi: k.high, PeriodS: 10,
		})
	}
	return out
}

func judged(i int, code string) []schema.Record {
	state := "online"
	if i%silentEvery == 0 {
		state = "offline"
	}
	at := int64(Beginning - i%240*hourMs)
	out := []schema.Record{
		&schema.GatewayState{Gateway: code + "G01", Enterprise: code, State: state, Since: at},
		&schema.RiskResult{Id: code, Enterprise: code, Time: at, Model: "m", Level: levels[i*spread%len(levels)], PreviousLevel: schema.Blue, IndexMilli: int64(i * 37 % 100_000)},
	}
	metric := code + "C001T0101"
	if i%alarmEvery == 0 {
		out = append(out, &schema.Alarm{Id: "AL-" + code, Enterprise: code, Collector: code + "C001", Metric: metric, Kind: "T01", Rule: "H", Level: int32(1 + i%2), Onset: at, Raised: at, Condition: "active", Stage: "raised"})
	}
	if i%closedEvery == 0 {
		out = append(out, &schema.Alarm{Id: "AC-" + code, Enterprise: code, Collector: code + "C001", Metric: metric, Kind: "T01", Rule: "H", Level: 1, Onset: at - hourMs, Raised: at - hourMs, Condition: "returned", Stage: "closed"})
	}
	if i%warnEvery == 0 {
		out = append(out, &schema.Warning{Id: "W-" + code, Enterprise: code, FromLevel: schema.Blue, ToLevel: schema.Orange, Raised: at, Stage: "raised"})
	}
	return append(out, worked(i, code, at)...)
}

// worked is what people and gateways did about a plant.
func worked(i int, code string, at int64) []schema.Record {
	collector := code + "C001"
	out := []schema.Record{
		&schema.CleaningRecord{Id: code + "-R1", Enterprise: code, Plan: code + "-floor", Item: "地面与梁架", Person: "李清扫", Time: at, Photos: []string{"p"}},
	}
	if i%alarmEvery == 0 {
		subject := "Alarm/AL-" + code
		out = append(out, &schema.Delivery{
			Id: subject + "/0", Subject: subject, Enterprise: code, Login: "manager-" + code, Channel: "N-" + code, Kind: "webhook", Stage: "sent", At: at, Sent: at, Template: "alarm_raised", Title: "灰斗温度高",
		})
	}
	if i%hazardEvery == 0 {
		out = append(out, &schema.Hazard{Id: "H-" + code, Enterprise: code, Code: "MH03", Evidence: []string{"Collector/" + collector}, Found: at, Due: at + 30*24*hourMs})
	}
	if i%checkedEvery == 0 {
		out = append(out,
			&schema.SpotCheck{Id: "S-" + code, Enterprise: code, Title: "在线抽查", Issued: at, Due: at + 24*hourMs, Stage: "answered"},
			&schema.SpotCheckAnswer{Id: "SA-" + code, SpotCheck: "S-" + code, Enterprise: code, Text: "已整改", Actor: "manager", Time: at})
	}
	if i%shelfEvery == 0 {
		out = append(out, &schema.Shelf{
			Id: code + "-H", Enterprise: code, Metric: collector + "T0101", Kind: "maintenance", Reason: "换滤袋", From: at, Until: at + hourMs, Stage: "approved", Actor: "manager",
		})
	}
	if i%ruleEvery == 0 {
		out = append(out, &schema.CombinedRule{Id: code + "-C", Enterprise: code, Name: "高温", Expression: "C001T0101 > 55", Level: 2})
	}
	if i%strangeEvery == 0 {
		out = append(out, &schema.Quarantine{Id: "Q-" + code, Source: code + "G01", Door: "http", Time: at, Count: 1, Violations: []*schema.Violation{{Record: "Sample", Rule: "range"}}})
	}
	return out
}
