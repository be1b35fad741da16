// Package plants is the demonstration's world: some twenty imaginary plants with their base data, the physics of their
// collectors and the incidents that befall them. It knows nothing of dusthub's inside: base data leave as plain
// values, readings as numbers a PLC would hold.
package plants

import "fmt"

// Door is how a plant's readings reach its province.
type Door string

// The doors the demonstration uses; code table "door".
const (
	Modbus Door = "frames" // PLC over Modbus TCP, polled by an edge gateway
	MQTT   Door = "mqtt"
	Line   Door = "line"
	SM4    Door = "sm4"
)

// Plant is one imaginary enterprise.
type Plant struct {
	Site     string // province it belongs to
	Code     string
	USCC     string
	Name     string
	Region   string
	Lng, Lat float64
	Industry string
	MemInd   string
	Scale    string
	Staff    int32
	Workers  int32 // exposed to dust
	Dust     string
	Building string
	Process  string
	Door     Door
	Unsuited bool // electrical equipment that an inspector found unfit for dust: a major hazard (MH07)
	Units    []Unit
}

// Unit is one dust removal system with its collector.
type Unit struct {
	Number   int
	Type     string // code table collector_type
	Measures []string
	Lock     bool // lock-air discharge
	Spark    bool // spark detection
	Mode     string
	Points   []Point
}

// Point is one measuring point of a unit, with its place in the PLC.
type Point struct {
	Kind    string // metric catalogue
	Name    string
	Unit    string
	Lo, Hi  float64
	Limits  map[string]float64 // ll l h hh
	Fault   int                // level of state 1; 0 is none
	DelayMs int
	Scale   float64 // register value = reading / Scale; 0 is a state
	Address uint16
}

// Wet says whether the unit is a wet collector.
func (u Unit) Wet() bool { return len(u.Type) > 3 && u.Type[:3] == "wet" }

// SystemCode, CollectorCode and GatewayCode are the codes of domain 2.5.
func (p Plant) SystemCode(u Unit) string { return fmt.Sprintf("%sS%02d", p.Code, u.Number) }

// CollectorCode is the code of a unit's collector.
func (p Plant) CollectorCode(u Unit) string { return fmt.Sprintf("%sC%03d", p.Code, u.Number) }

// GatewayCode is the code of the plant's gateway.
func (p Plant) GatewayCode() string { return p.Code + "G01" }

// WorkshopCode is the code of the plant's workshop.
func (p Plant) WorkshopCode() string { return p.Code + "W01" }

// MetricCode is the code of a point.
func (p Plant) MetricCode(u Unit, pt Point) string { return p.CollectorCode(u) + pt.Kind + "01" }

// blockSize is how many registers of the PLC a unit occupies.
const blockSize = 32

func dry(n int, typ string, lock, spark bool, measures ...string) Unit {
	u := Unit{Number: n, Type: typ, Measures: measures, Lock: lock, Spark: spark, Mode: "negative"}
	u.Points = []Point{
		{Kind: "T01", Name: "灰斗温度", Unit: "°C", Lo: -20, Hi: 200, Limits: map[string]float64{"h": 60, "hh": 70}, Scale: 0.1},
		{Kind: "P01", Name: "进出口压差", Unit: "Pa", Lo: 0, Hi: 5000, Limits: map[string]float64{"ll": 200, "l": 400, "h": 1500, "hh": 2000}, DelayMs: 3000, Scale: 1},
		{Kind: "K01", Name: "锁气卸灰", Unit: "0/1", Hi: 1, Fault: 2, DelayMs: 3000},
		{Kind: "R01", Name: "风机运行", Unit: "0/1", Hi: 1},
		{Kind: "R02", Name: "生产运行", Unit: "0/1", Hi: 1},
		{Kind: "A01", Name: "风机电流", Unit: "A", Hi: 500, Scale: 0.1},
	}
	if spark {
		u.Points = append(u.Points, Point{Kind: "S01", Name: "火花探测", Unit: "0/1", Hi: 1, Fault: 1}, Point{Kind: "S02", Name: "火花熄灭", Unit: "0/1", Hi: 1})
	}
	return u.placed()
}

func wet(n int, typ string, hydrogen bool) Unit {
	u := Unit{Number: n, Type: typ, Mode: "negative"}
	u.Points = []Point{
		{Kind: "L01", Name: "水箱水位", Unit: "m", Hi: 3, Limits: map[string]float64{"ll": 0.96, "l": 1.08, "hh": 1.44}, DelayMs: 2000, Scale: 0.001},
		{Kind: "F01", Name: "循环水流量", Unit: "m³/h", Hi: 100, Limits: map[string]float64{"ll": 12, "l": 16}, DelayMs: 2000, Scale: 0.01},
		{Kind: "R01", Name: "风机运行", Unit: "0/1", Hi: 1},
		{Kind: "R02", Name: "生产运行", Unit: "0/1", Hi: 1},
		{Kind: "A01", Name: "风机电流", Unit: "A", Hi: 500, Scale: 0.1},
	}
	if hydrogen {
		u.Points = append(u.Points, Point{Kind: "Q01", Name: "氢气浓度", Unit: "%LEL", Hi: 100, Limits: map[string]float64{"h": 25, "hh": 50}, Scale: 0.1})
	}
	return u.placed()
}

// placed gives each point its register within the unit's block.
func (u Unit) placed() Unit {
	for i := range u.Points {
		u.Points[i].Address = uint16(u.Number-1)*blockSize + uint16(i)
	}
	return u
}

// All lists the plants of the demonstration. The same list every time: names, codes and limits are part of the tests.
func All() []Plant {
	js := func(county string, n int, name string) Plant {
		return Plant{Site: "jiangsu", Code: fmt.Sprintf("%s03%04d", county, n), Region: county, Name: name, USCC: uscc(county, n), Door: Modbus, Scale: "small", Building: "single_frame"}
	}
	sd := func(county string, n int, name string) Plant {
		p := js(county, n, name)
		p.Site = "shandong"
		return p
	}
	with := func(p Plant, dust, industry, mem, process string, staff, workers int32, lng, lat float64, units ...Unit) Plant {
		p.Dust, p.Industry, p.MemInd, p.Process, p.Staff, p.Workers, p.Lng, p.Lat, p.Units = dust, industry, mem, process, staff, workers, lng, lat, units
		return p
	}
	through := func(d Door, p Plant) Plant { p.Door = d; return p }
	unsuited := func(p Plant) Plant { p.Unsuited = true; return p }
	in := func(building string, p Plant) Plant { p.Building = building; return p }
	return []Plant{
		with(js("320505", 1, "苏州虎丘明辉铝轮毂有限公司"), "2", "C33", "machinery", "打磨", 126, 35, 120.55, 31.31, wet(1, "wet_swirl", true), dry(2, "dry_cartridge", true, false, "venting", "isolation")),
		with(js("320583", 2, "昆山精锐镁合金压铸有限公司"), "9", "C32", "nonferrous", "抛光", 88, 22, 120.98, 31.39, wet(1, "wet_curtain", true)),
		in("multi_frame", with(js("320324", 3, "睢宁林盛木业有限公司"), "26", "C20", "light", "砂光", 64, 20, 117.94, 33.91, dry(1, "dry_bag", true, true, "venting"))),
		with(js("320322", 4, "沛县汉和家具有限公司"), "26", "C21", "light", "砂光", 150, 42, 116.94, 34.72, dry(1, "dry_bag", true, true, "venting", "isolation"), dry(2, "dry_bag", true, true, "venting")),
		with(js("320281", 5, "江阴宏达面粉有限公司"), "17", "C13", "light", "粉碎", 95, 20, 120.28, 31.91, dry(1, "dry_bag", true, false, "venting", "suppression"), dry(2, "dry_bag", true, false, "venting", "isolation")),
		with(js("320682", 6, "如皋金穗饲料有限公司"), "22", "C13", "light", "粉碎", 58, 16, 120.57, 32.37, dry(1, "dry_bag", true, false, "venting", "isolation")),
		with(js("320612", 7, "南通通州锦绣棉纺有限公司"), "31", "C17", "textile", "清花", 320, 110, 121.07, 32.08, dry(1, "dry_cyclone", true, false, "venting"), dry(2, "dry_bag", true, false, "venting", "isolation")),
		with(js("320411", 8, "常州新北华塑粉末涂料有限公司"), "39", "C26", "light", "粉碎", 74, 18, 119.97, 31.83, dry(1, "dry_cartridge", true, false, "venting", "suppression")),
		through(MQTT, with(js("321283", 9, "泰兴永丰橡胶制品有限公司"), "33", "C29", "light", "打磨", 66, 14, 120.05, 32.17, dry(1, "dry_bag", true, false, "venting"))),
		with(js("320707", 10, "赣榆海州硅材料有限公司"), "6", "C30", "materials", "研磨", 83, 12, 119.17, 34.84, dry(1, "dry_bag", true, false, "venting", "isolation")),
		through(Line, with(js("320118", 11, "南京高淳金属粉末有限公司"), "7", "C32", "nonferrous", "筛分", 41, 9, 118.89, 31.33, dry(1, "dry_cartridge", true, false, "inerting"))),
		unsuited(with(js("320813", 12, "洪泽洁源淀粉有限公司"), "11", "C13", "light", "干燥", 112, 31, 118.87, 33.29, dry(1, "dry_bag", true, false, "venting", "isolation"), dry(2, "dry_bag", true, false, "venting"), dry(3, "dry_cyclone", true, false, "venting"))),
		with(sd("371302", 13, "临沂兰山恒森板业有限公司"), "26", "C20", "light", "砂光", 210, 56, 118.35, 35.05, dry(1, "dry_bag", true, true, "venting", "isolation"), dry(2, "dry_bag", true, true, "venting")),
		with(sd("371326", 14, "平邑蒙山木制品有限公司"), "26", "C20", "light", "砂光", 45, 15, 117.64, 35.51, dry(1, "dry_bag", true, true, "venting")),
		with(sd("370613", 15, "烟台莱山轻合金制造有限公司"), "3", "C36", "machinery", "打磨", 190, 48, 121.45, 37.51, wet(1, "wet_venturi", true), wet(2, "wet_swirl", true)),
		with(sd("370783", 16, "寿光鲁丰玉米淀粉有限公司"), "11", "C13", "light", "包装", 260, 61, 118.79, 36.86, dry(1, "dry_bag", true, false, "venting", "isolation"), dry(2, "dry_bag", true, false, "venting", "isolation")),
		with(sd("370983", 17, "肥城泰山煤粉制备有限公司"), "34", "C25", "materials", "制粉", 52, 13, 116.77, 36.18, dry(1, "dry_bag", true, false, "inerting", "venting")),
		with(sd("370682", 18, "莱阳华纤聚酯纤维有限公司"), "28", "C28", "textile", "切断", 135, 38, 120.71, 36.98, dry(1, "dry_cartridge", true, false, "venting")),
		through(SM4, with(sd("370283", 19, "青岛平度华强铸造有限公司"), "10", "C33", "machinery", "抛丸", 98, 24, 119.99, 36.78, dry(1, "dry_cartridge", true, false, "venting", "isolation"))),
		unsuited(with(sd("371481", 20, "乐陵德州塑业有限公司"), "32", "C29", "light", "粉碎", 37, 10, 117.23, 37.73, dry(1, "dry_bag", true, false, "venting"), wet(2, "wet_curtain", false))),
	}
}

// uscc makes a well-formed unified social credit code for an imaginary plant (GB 32100-2015, GB 11714).
func uscc(county string, n int) string {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	org := fmt.Sprintf("MA%06d", 100000+n*37)
	sum := 0
	for i, w := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		c := org[i]
		v := int(c - '0')
		if c >= 'A' {
			v = int(c-'A') + 10
		}
		sum += v * w
	}
	check := "0123456789X"
	org += string(check[(11-sum%11)%11])
	code := "91" + county + org
	total, weight := 0, 1
	for i := range 17 {
		for k := range alphabet {
			if alphabet[k] == code[i] {
				total += k * weight
			}
		}
		weight = weight * 3 % 31
	}
	return code + string(alphabet[(31-total%31)%31])
}
