package collect

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestScaled(t *testing.T) {
	third := 1.0 / 3
	for _, c := range []struct{ v, scale, want float64 }{
		{235, 0.1, 23.5}, {3, 0.1, 0.3}, {7, 0.01, 0.07}, {-205, 0.1, -20.5}, {12345, 0.001, 12.345}, {5, 0, 5}, {5, 1, 5}, {5, 10, 50}, {5, 0.5, 2.5}, {9, 0.3, 2.7}, {10, third, 10 * third}, {4, -0.1, -0.4}, {3, 2.5, 7.5},
	} {
		if got := scaled(c.v, c.scale); got != c.want {
			t.Errorf("%v at %v is %v, wanted %v", c.v, c.scale, got, c.want)
		}
	}
	for v := -32768; v < 32768; v++ {
		var want float64
		if _, err := fmt.Sscan(fmt.Sprintf("%d.%d", v/10, abs(v%10)), &want); err != nil {
			t.Fatal(err)
		}
		if v < 0 && v > -10 {
			want = -want
		}
		if got := scaled(float64(v), 0.1); got != want {
			t.Fatalf("%d at 0.1 is %v, wanted %v", v, got, want)
		}
	}
}

func abs(v int) int { return max(v, -v) }

func TestDecode(t *testing.T) {
	f := math.Float32bits(23.1)
	for _, c := range []struct {
		typ      string
		words    []uint16
		lowFirst bool
		want     float64
	}{
		{"int16", []uint16{0xffff}, false, -1}, {"uint16", []uint16{0xffff}, false, 65535}, {"int32", []uint16{0xffff, 0xfffe}, false, -2}, {"uint32", []uint16{1, 2}, false, 65538},
		{"uint32", []uint16{2, 1}, true, 65538}, {"float32", []uint16{uint16(f >> 16), uint16(f)}, false, 23.1}, {"float32", []uint16{uint16(f), uint16(f >> 16)}, true, 23.1},
	} {
		if got := decode(c.typ, c.words, c.lowFirst); got != c.want {
			t.Errorf("%s of %x is %v, wanted %v", c.typ, c.words, got, c.want)
		}
	}
	if v := decode("float32", []uint16{0x7fc0, 0}, false); !math.IsNaN(v) {
		t.Errorf("NaN is %v", v)
	}
}

func TestGroups(t *testing.T) {
	p := func(register string, address uint16, typ string) Point {
		return Point{Register: register, Address: address, Type: typ}
	}
	var long []Point
	for i := range uint16(130) {
		long = append(long, p("holding", i, "int16"))
	}
	for _, c := range []struct {
		name   string
		points []Point
		want   string
	}{
		{"adjacent", []Point{p("holding", 1, "int16"), p("holding", 0, "int16"), p("holding", 2, "float32")}, "holding 0+4"},
		{"a hole", []Point{p("holding", 0, "int16"), p("holding", 2, "int16")}, "holding 0+1, holding 2+1"},
		{"two tables", []Point{p("input", 0, "int16"), p("holding", 1, "int16"), p("coil", 5, ""), p("coil", 6, "")}, "coil 5+2, holding 1+1, input 0+1"},
		{"the same register twice", []Point{p("holding", 0, "uint32"), p("holding", 1, "int16")}, "holding 0+2"},
		{"longer than a request", long, "holding 0+125, holding 125+5"},
	} {
		var got []string
		n := 0
		for _, g := range groupPoints(c.points) {
			got = append(got, fmt.Sprintf("%s %d+%d", g.register, g.address, g.length))
			n += len(g.points)
		}
		if strings.Join(got, ", ") != c.want || n != len(c.points) {
			t.Errorf("%s: %v with %d points, wanted %s", c.name, got, n, c.want)
		}
	}
}

const goodConfig = `
gateway: 320505030001G01
identity_dir: /id
ops: 127.0.0.1:9000
target: {site: jiangsu, addrs: ["127.0.0.1:1", "127.0.0.1:2"]}
buffer: {dir: /buffer, max_bytes: 67108864}
modbus:
  - url: tcp://127.0.0.1:502
    unit: 1
    period: 1s
    points:
      - {metric: 320505030001C001T0101, register: holding, address: 0, type: int16, scale: 0.1}
      - {metric: 320505030001C001R0101, register: coil, address: 0}
`

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadConfig(path)
}

func TestConfig(t *testing.T) {
	c, err := load(t, goodConfig)
	if err != nil {
		t.Fatal(err)
	}
	if c.Modbus[0].Period != time.Second || c.Modbus[0].Timeout != time.Second || c.Modbus[0].Points[0].Scale != 0.1 || c.Buffer.MaxBytes != 64<<20 || len(c.Target.Addrs) != 2 {
		t.Errorf("%+v", c)
	}
}

func TestConfigNamesEveryError(t *testing.T) {
	_, err := load(t, `
gateway: G1
ops: nowhere
target: {addrs: [x]}
buffer: {max_bytes: 5}
modbus:
  - url: rtu:///dev/ttyS0
    period: 1us
    word_order: mixed
    points:
      - {metric: T1, register: holding, address: 65535, type: float32}
      - {metric: T1, register: relay}
      - {metric: 320505030001C001T0101, register: coil, type: int16}
      - {metric: 320505030001C001T0102, register: input, type: int8}
  - url: tcp://plc
`)
	for _, want := range []string{
		"gateway:", "identity_dir:", "ops:", "target.site:", "target.addrs[0]:", "buffer.dir:", "buffer.max_bytes:", "modbus[0].url:", "modbus[0].period:", "modbus[0].word_order:", "modbus[0].points[0].metric:",
		"modbus[0].points[0].address:", "modbus[0].points[1].metric: T1 is read by modbus[0].points[0]", "modbus[0].points[1].register:", "modbus[0].points[2].type:", "modbus[0].points[3].type:", "modbus[1].url:", "modbus[1].points:",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s:\n%v", want, err)
		}
	}
	for name, text := range map[string]string{"unknown key": goodConfig + "\nspeed: 5\n", "no YAML": "\t:", "empty": ""} {
		if _, err := load(t, text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := LoadConfig("/nowhere"); err == nil {
		t.Error("no file: taken")
	}
}

func TestMappingNamesEveryError(t *testing.T) {
	m := CSVMapping{Separator: ";;", Time: CSVTime{Zone: "Mars/Olympus"}, Columns: map[string]string{"a": "T1", "b": "320505030001C001T0101", "c": "320505030001C001T0101"}, Mode: "faster", Anchor: "middle", Pace: -1}
	err := m.Check()
	for _, want := range []string{"separator:", "time:", "time.zone:", "columns.a:", "columns.c: 320505030001C001T0101 is filled", "mode:", "anchor:", "pace:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s:\n%v", want, err)
		}
	}
}

func TestRetime(t *testing.T) {
	for _, c := range []struct {
		name string
		m    CSVMapping
		in   []int64
		want []int64
		wait bool
	}{
		{"original", CSVMapping{Mode: ModeOriginal}, []int64{5, 6}, []int64{5, 6}, false},
		{"shift to the last", CSVMapping{Mode: ModeShift}, []int64{5, 9, 7}, []int64{996, 1000, 998}, false},
		{"shift to the first", CSVMapping{Mode: ModeShift, Anchor: "first"}, []int64{5, 9, 7}, []int64{1000, 1004, 1002}, true},
		{"compress", CSVMapping{Mode: ModeCompress, Pace: 10}, []int64{0, 100, 250}, []int64{1000, 1010, 1025}, true},
		{"compress to the last", CSVMapping{Mode: ModeCompress, Pace: 10, Anchor: "last"}, []int64{0, 100, 250}, []int64{975, 985, 1000}, false},
		{"compress beyond a millisecond", CSVMapping{Mode: ModeCompress, Pace: 1000}, []int64{0, 100, 250, 3000}, []int64{1000, 1001, 1002, 1003}, true},
	} {
		rows := make([]row, len(c.in))
		for i, v := range c.in {
			rows[i].time = v
		}
		wait := c.m.retime(rows, 1000)
		var got []int64
		for _, r := range rows {
			got = append(got, r.time)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || wait != c.wait {
			t.Errorf("%s: %v wait %v, wanted %v wait %v", c.name, got, wait, c.want, c.wait)
		}
	}
}

func TestBrokenFiles(t *testing.T) {
	m := CSVMapping{Separator: ";", Time: CSVTime{Column: "t", Format: "2006-01-02 15:04:05"}, Columns: map[string]string{"v": "320505030001C001T0101"}}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "first row"}, {"no time column", "x;v\n", `no column "t"`}, {"no value column", "t;x\n", `no column "v"`},
		{"time in another form", "t;v\n2020-01-01;1\n", "line 2: time"}, {"a row too short", "t;v\n2020-01-01 00:00:00\n", "wrong number of fields"},
	} {
		path := filepath.Join(t.TempDir(), "f.csv")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var r ReplayReport
		if _, _, err := m.read(path, &r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, wanted %q", c.name, err, c.want)
		}
	}
	path := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(path, []byte("\uFEFFt;v\n2020-01-01 00:00:00;\n2020-01-01 00:00:01;NaN\n2020-01-01 00:00:02;1.5\n2020-01-01 00:00:03;bad\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var r ReplayReport
	rows, _, err := m.read(path, &r)
	if err != nil || len(rows) != 4 || r.Skipped != 3 || rows[2].values[0] != 1.5 {
		t.Errorf("%v, %+v, %v", rows, r, err)
	}
}
