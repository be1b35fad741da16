package ingest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/sm"
	"dusthub/node/ingest"
	. "dusthub/node/ingest/ingesttest"
	"dusthub/schema/frame"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// web is a site with its HTTP doors on a real listener.
type web struct {
	*Site
	url string
}

func newWeb(t testing.TB, change func(*ingest.Options)) web {
	t.Helper()
	s := New(t, change)
	srv := httptest.NewServer(ingest.NewHTTP(s.Intake))
	t.Cleanup(srv.Close)
	return web{s, srv.URL}
}

// answer is what a door said.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("answer %d %s: %v", a.status, a.body, err)
	}
}

func (w web) post(t testing.TB, path string, body []byte, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

const bearer = "Bearer " + Gateway + ":" + Secret

// jsonDoor posts to the JSON door as the first plant's gateway.
func (w web) jsonDoor(t testing.TB, body string) answer {
	t.Helper()
	return w.post(t, "/api/v1/samples", []byte(body), "Authorization", bearer)
}

func (w web) lineDoor(t testing.TB, body string) answer {
	t.Helper()
	return w.post(t, "/api/v2/write?precision=ms", []byte(body), "Authorization", "Token "+Gateway+":"+Secret)
}

func now() int64 { return time.Now().UnixMilli() }

type samplesAnswer struct {
	Stored, Duplicates, Conflicts int
	Refused, Violations           []struct{ Record, Field, Rule, Got, Wanted string }
	Code                          string
}

func TestJSONForms(t *testing.T) {
	at := now()
	for _, c := range []struct {
		name, body string
		stored     int
	}{
		{"one", fmt.Sprintf(`{"metric":%q,"time":%d,"value":36.5}`, Temperature, at), 1},
		{"array", fmt.Sprintf(`[{"metric":%q,"time":%d,"value":36.5},{"metric":%q,"time":%d,"value":800}]`, Temperature, at, Pressure, at), 2},
		{"object", fmt.Sprintf(`{"samples":[{"metric":%q,"time":%d,"value":-1e-3,"quality":3}]}`, Temperature, at), 1},
		{"RFC 3339", fmt.Sprintf(`{"metric":%q,"time":%q,"value":36.5}`, Temperature, time.UnixMilli(at).Format(time.RFC3339Nano)), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWeb(t, nil)
			a := w.jsonDoor(t, c.body)
			var got samplesAnswer
			a.json(t, &got)
			if a.status != 200 || got.Stored != c.stored || got.Duplicates != 0 || len(got.Refused) != 0 {
				t.Errorf("answer %d %s", a.status, a.body)
			}
			if p := w.Points(t, Temperature); len(p) != 1 || p[0].Time != at {
				t.Errorf("points %v, wanted one at %d", p, at)
			}
		})
	}
}

func TestSentAgainIsADuplicateAndAnotherValueAConflict(t *testing.T) {
	w := newWeb(t, nil)
	body := fmt.Sprintf(`{"metric":%q,"time":%d,"value":36.5}`, Temperature, now())
	w.jsonDoor(t, body)
	var again, other samplesAnswer
	w.jsonDoor(t, body).json(t, &again)
	w.jsonDoor(t, strings.Replace(body, "36.5", "36.6", 1)).json(t, &other)
	if again.Stored != 0 || again.Duplicates != 1 {
		t.Errorf("sent again: %+v", again)
	}
	if other.Stored != 0 || other.Conflicts != 1 {
		t.Errorf("another value: %+v", other)
	}
	if p := w.Points(t, Temperature); len(p) != 1 || p[0].Value != 36.5 {
		t.Errorf("points %v", p)
	}
}

// TestBadReadings: each bad reading is refused with its reasons and in quarantine, the good one beside it is stored.
func TestBadReadings(t *testing.T) {
	at := now()
	for _, c := range []struct {
		name, reading string // %[1]d is now
		field, rule   string
	}{
		{"unknown metric", `{"metric":"` + Unknown + `","time":%[1]d,"value":1}`, "metric", "unknown_metric"},
		{"metric of another plant", `{"metric":"` + OtherMetric + `","time":%[1]d,"value":1}`, "metric", "owner"},
		{"disabled metric", `{"metric":"` + Disabled + `","time":%[1]d,"value":1}`, "metric", "disabled"},
		{"future", `{"metric":"` + Pressure + `","time":99999999999999,"value":1}`, "time", "time"},
		{"before there were clocks", `{"metric":"` + Pressure + `","time":1,"value":1}`, "time", "time"},
		{"too old", `{"metric":"` + Pressure + `","time":1600000000000,"value":1}`, "time", "too_old"},
		{"value is text", `{"metric":"` + Pressure + `","time":%[1]d,"value":"1"}`, "value", "type"},
		{"value is too large", `{"metric":"` + Pressure + `","time":%[1]d,"value":1e999}`, "value", "type"},
		{"value is null", `{"metric":"` + Pressure + `","time":%[1]d,"value":null}`, "value", "type"},
		{"no value", `{"metric":"` + Pressure + `","time":%[1]d}`, "value", "type"},
		{"no time", `{"metric":"` + Pressure + `","value":1}`, "time", "type"},
		{"time is no time", `{"metric":"` + Pressure + `","time":"yesterday","value":1}`, "time", "type"},
		{"metric is a number", `{"metric":7,"time":%[1]d,"value":1}`, "metric", "type"},
		{"no metric", `{"time":%[1]d,"value":1}`, "metric", "type"},
		{"quality is unknown", `{"metric":"` + Pressure + `","time":%[1]d,"value":1,"quality":9}`, "quality", "quality"},
		{"quality is negative", `{"metric":"` + Pressure + `","time":%[1]d,"value":1,"quality":-1}`, "quality", "type"},
		{"no object", `17`, "", "type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWeb(t, nil)
			bad := c.reading
			if strings.Contains(bad, "%") {
				bad = fmt.Sprintf(bad, at)
			}
			a := w.jsonDoor(t, fmt.Sprintf(`{"samples":[%s,{"metric":%q,"time":%d,"value":36.5}]}`, bad, Temperature, at))
			var got samplesAnswer
			a.json(t, &got)
			if a.status != 200 || got.Stored != 1 || len(got.Refused) != 1 || got.Refused[0].Field != c.field || got.Refused[0].Rule != c.rule || got.Refused[0].Record != "samples[0]" {
				t.Errorf("answer %d %s, wanted rule %s of %s", a.status, a.body, c.rule, c.field)
			}
			q := w.Quarantine(t)
			if len(q) != 1 || q[0].GetSource() != Gateway || q[0].GetDoor() != "http" || q[0].GetCount() != 1 || q[0].GetViolations()[0].GetRule() != c.rule || !strings.Contains(string(q[0].GetContent()), Temperature) {
				t.Errorf("quarantine %v", q)
			}
			if len(w.Points(t, Temperature)) != 1 || len(w.Points(t, Pressure)) != 0 || len(w.Points(t, OtherMetric)) != 0 {
				t.Error("the good reading is not stored alone")
			}
		})
	}
}

func TestEveryReasonIsNamed(t *testing.T) {
	w := newWeb(t, nil)
	a := w.jsonDoor(t, `{"metric":"`+Unknown+`","time":1,"value":1,"quality":7}`)
	var got samplesAnswer
	a.json(t, &got)
	var rules []string
	for _, v := range got.Violations {
		rules = append(rules, v.Rule)
	}
	if a.status != 422 || strings.Join(rules, " ") != "unknown_metric time quality" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

func TestQualities(t *testing.T) {
	w := newWeb(t, nil)
	at := now()
	body := fmt.Sprintf(`[{"metric":%[1]q,"time":%[2]d,"value":300},{"metric":%[1]q,"time":%[3]d,"value":20},{"metric":%[1]q,"time":%[4]d,"value":300,"quality":3},{"metric":%[1]q,"time":%[5]d,"value":20}]`,
		Temperature, at, at-11*60*1000, at+1, at+2)
	if a := w.jsonDoor(t, body); a.status != 200 {
		t.Fatal(a)
	}
	want := []uint8{frame.Backfill, frame.OverRange, frame.Fault, frame.Good}
	for i, p := range w.Points(t, Temperature) {
		if p.Quality != want[i] {
			t.Errorf("quality of %v is %d, wanted %d", p.Value, p.Quality, want[i])
		}
	}
}

func TestMalformedJSON(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "torn": `{"samples":[`, "text": `"hello"`, "trailing": `{"samples":[]} x`, "samples is no list": `{"samples":7}`, "flag is no boolean": `{"samples":[],"source_lost":1}`,
		"deep": strings.Repeat("[", 100000),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb(t, nil)
			a := w.jsonDoor(t, body)
			var p struct {
				Code   string
				Status int
			}
			a.json(t, &p)
			if a.status != 400 || p.Code != "form" || p.Status != 400 || len(w.Quarantine(t)) != 1 {
				t.Errorf("answer %d %s, quarantine %v", a.status, a.body, w.Quarantine(t))
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	w := newWeb(t, nil)
	body := []byte(fmt.Sprintf(`{"metric":%q,"time":%d,"value":36.5}`, Temperature, now()))
	for _, c := range []struct {
		name, auth string
		status     int
	}{
		{"bearer", bearer, 200},
		{"basic", "Basic " + base64.StdEncoding.EncodeToString([]byte(Gateway+":"+Secret)), 200},
		{"token", "Token " + Gateway + ":" + Secret, 200},
		{"none", "", 401},
		{"wrong secret", "Bearer " + Gateway + ":wrong", 401},
		{"unknown gateway", "Bearer 320505039999G01:" + Secret, 401},
		{"no secret", "Bearer " + Gateway, 401},
		{"broken basic", "Basic !!", 401},
		{"another scheme", "Digest " + Gateway + ":" + Secret, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := w.post(t, "/api/v1/samples", body, "Authorization", c.auth); a.status != c.status {
				t.Errorf("answer %d %s", a.status, a.body)
			}
		})
	}
	if q := w.Quarantine(t); len(q) != 0 {
		t.Errorf("strangers fill the quarantine: %v", q)
	}
}

func TestWrongSecretsAreLimited(t *testing.T) {
	w := newWeb(t, nil)
	wrong := func() int {
		return w.post(t, "/api/v1/samples", nil, "Authorization", "Bearer "+Gateway+":wrong").status
	}
	for i := range 5 {
		if s := wrong(); s != 401 {
			t.Fatalf("attempt %d: %d", i, s)
		}
	}
	if s := wrong(); s != 429 {
		t.Errorf("attempt 6: %d, wanted 429", s)
	}
	if a := w.post(t, "/api/v1/samples", []byte(`[]`), "Authorization", "Bearer "+OtherGateway+":"+Secret); a.status != 200 {
		t.Errorf("another gateway at the same address: %d", a.status)
	}
}

func TestRate(t *testing.T) {
	w := newWeb(t, func(o *ingest.Options) {
		o.Rate = 0.01
		o.Now = func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	})
	body := fmt.Sprintf(`{"metric":%q,"time":%d,"value":36.5}`, Temperature, int64(1_700_000_000_000))
	if a := w.jsonDoor(t, body); a.status != 200 {
		t.Fatalf("first: %d %s", a.status, a.body)
	}
	if a := w.jsonDoor(t, body); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("second: %d %s", a.status, a.body)
	}
}

// countingReader says how much of it was read.
type countingReader struct{ left, read int }

func (r *countingReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	r.left -= n
	r.read += n
	return n, nil
}

func TestTooLargeIsNotReadWhole(t *testing.T) {
	s := New(t, nil)
	h := ingest.NewHTTP(s.Intake)
	for _, path := range []string{"/api/v1/samples", "/api/v2/write", "/api/v1/prom/write", "/access/v1/realtime"} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s length known %v", path, known), func(t *testing.T) {
				body := &countingReader{left: 10 << 20}
				req := httptest.NewRequest(http.MethodPost, path, io.NopCloser(body))
				req.Header.Set("Authorization", bearer)
				if known {
					req.ContentLength = 10 << 20
				} else {
					req.ContentLength = -1
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req)
				if w.Code != 413 || body.read > 1<<20+64<<10 || known && body.read > 0 {
					t.Errorf("status %d after %d bytes", w.Code, body.read)
				}
			})
		}
	}
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGzip(t *testing.T) {
	w := newWeb(t, nil)
	body := fmt.Sprintf("dust,metric=%s value=36.5 %d\n", Temperature, now())
	for _, c := range []struct {
		name, encoding string
		body           []byte
		status         int
	}{
		{"gzip", "gzip", zipped(t, []byte(body)), 204},
		{"bomb", "gzip", zipped(t, make([]byte, 64<<20)), 413},
		{"no gzip", "gzip", []byte(body), 400},
		{"unknown", "br", []byte(body), 415},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.post(t, "/api/v2/write?precision=ms", c.body, "Authorization", "Token "+Gateway+":"+Secret, "Content-Encoding", c.encoding)
			if a.status != c.status {
				t.Errorf("answer %d %s", a.status, a.body)
			}
		})
	}
}

func TestNoLeader(t *testing.T) {
	w := newWeb(t, nil)
	w.Down(true)
	line := fmt.Sprintf("dust,metric=%s value=36.5 %d\n", Temperature, now())
	if a := w.lineDoor(t, line); a.status != 503 || !strings.Contains(a.body, `"unavailable"`) {
		t.Errorf("line: %d %s", a.status, a.body)
	}
	body := fmt.Sprintf(`{"metric":%q,"time":%d,"value":36.5}`, Temperature, now())
	if a := w.jsonDoor(t, body); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("json: %d %s", a.status, a.body)
	}
	w.Down(false)
	if a := w.lineDoor(t, line); a.status != 204 {
		t.Errorf("after: %d %s", a.status, a.body)
	}
	if p := w.Points(t, Temperature); len(p) != 1 {
		t.Errorf("points %v", p)
	}
}

func TestHeartbeatAndLostSource(t *testing.T) {
	w := newWeb(t, nil)
	for _, body := range []string{`{"samples":[]}`, `{"samples":[]}`, `{"source_lost":true}`, `{"samples":[],"source_lost":true}`, `{"source_lost":false}`} {
		if a := w.jsonDoor(t, body); a.status != 200 {
			t.Fatalf("%s: %d %s", body, a.status, a.body)
		}
	}
	var lost []bool
	for _, h := range w.Heard() {
		lost = append(lost, h.GetSourceLost())
	}
	if fmt.Sprint(lost) != "[false true false]" {
		t.Errorf("heard %v: a heartbeat and two changes were to be told, the rest is known", lost)
	}
}

func TestLineProtocolDoor(t *testing.T) {
	at := now()
	for _, c := range []struct {
		name, query, body string
		status            int
		wants             []string // in the answer
	}{
		{"tag and value", "precision=ms", fmt.Sprintf("dust,metric=%s value=36.5 %d", Temperature, at), 204, nil},
		{"fields named by code", "precision=s", fmt.Sprintf("dust,host=a %s=36.5,%s=800i,%s=true %d", Temperature, Pressure, Fan, at/1000), 204, nil},
		{"nanoseconds", "", fmt.Sprintf("dust,metric=%s value=36.5 %d", Temperature, at*1e6+999), 204, nil},
		{"microseconds", "precision=us", fmt.Sprintf("dust,metric=%s value=36.5 %d", Temperature, at*1e3), 204, nil},
		{"no time", "", fmt.Sprintf("dust,metric=%s value=36.5", Temperature), 204, nil},
		{"comments and blank lines", "precision=ms", fmt.Sprintf("# hello\n\n  \r\ndust,metric=%s value=36.5 %d\r\n", Temperature, at), 204, nil},
		{"text", "precision=ms", fmt.Sprintf("dust,metric=%s value=\"on\" %d", Temperature, at), 400, []string{`"code":"invalid"`, "line 1", "type"}},
		{"one bad line of three", "precision=ms", fmt.Sprintf("dust,metric=%s value=36.5 %d\nbroken\ndust,metric=%s value=1 %d", Temperature, at, Unknown, at), 400, []string{"line 2: form", "line 3: unknown_metric", "1 stored", "2 refused"}},
		{"unknown precision", "precision=h", "a b=1", 400, []string{"precision"}},
		{"a field beside value", "precision=ms", fmt.Sprintf("dust,metric=%s value=1,other=2 %d", Temperature, at), 400, []string{"other", "1 stored"}},
		{"time does not fit", "precision=s", fmt.Sprintf("dust,metric=%s value=1 %d", Temperature, int64(math.MaxInt64)), 400, []string{"time"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWeb(t, nil)
			a := w.post(t, "/api/v2/write?"+c.query, []byte(c.body), "Authorization", "Token "+Gateway+":"+Secret)
			if a.status != c.status {
				t.Errorf("answer %d %s", a.status, a.body)
			}
			for _, want := range c.wants {
				if !strings.Contains(a.body, want) {
					t.Errorf("answer %s, wanted %q in it", a.body, want)
				}
			}
			if a.status == 204 && len(w.Points(t, Temperature)) != 1 {
				t.Error("not stored")
			}
			if a.status == 400 && len(w.Quarantine(t)) != 1 {
				t.Error("not in quarantine")
			}
		})
	}
}

// series is one time series of a remote write request.
type series struct {
	labels  [][2]string
	samples [][2]float64 // value, ms
}

func remote(list ...series) []byte {
	var out []byte
	bytesField := func(to []byte, n protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, n, protowire.BytesType), v)
	}
	for _, s := range list {
		var ts []byte
		for _, l := range s.labels {
			ts = bytesField(ts, 1, bytesField(bytesField(nil, 1, []byte(l[0])), 2, []byte(l[1])))
		}
		for _, v := range s.samples {
			x := binary.LittleEndian.AppendUint64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(v[0]))
			x = protowire.AppendVarint(protowire.AppendTag(x, 2, protowire.VarintType), uint64(int64(v[1])))
			ts = bytesField(ts, 2, x)
		}
		out = bytesField(out, 1, ts)
	}
	return out
}

func (w web) remoteDoor(t testing.TB, body []byte) answer {
	t.Helper()
	return w.post(t, "/api/v1/prom/write", body, "Authorization", bearer, "Content-Encoding", "snappy", "Content-Type", "application/x-protobuf", "X-Prometheus-Remote-Write-Version", "0.1.0")
}

func TestRemoteWrite(t *testing.T) {
	at := float64(now())
	stale := math.Float64frombits(0x7ff0000000000002)
	huge := append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, make([]byte, 100)...) // says it is 4 GB
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		stored int
		want   string
	}{
		{"by label", snappy.Encode(nil, remote(series{[][2]string{{"__name__", "dust"}, {"metric", Temperature}}, [][2]float64{{36.5, at}, {36.6, at + 1}}})), 204, 2, ""},
		{"by name", snappy.Encode(nil, remote(series{[][2]string{{"__name__", Temperature}}, [][2]float64{{36.5, at}}})), 204, 1, ""},
		{"stale marker", snappy.Encode(nil, remote(series{[][2]string{{"metric", Temperature}}, [][2]float64{{36.5, at}, {stale, at + 1}}})), 204, 1, ""},
		{"NaN", snappy.Encode(nil, remote(series{[][2]string{{"metric", Temperature}}, [][2]float64{{36.5, at}, {math.NaN(), at + 1}}})), 400, 1, "finite"},
		{"infinity", snappy.Encode(nil, remote(series{[][2]string{{"metric", Temperature}}, [][2]float64{{math.Inf(1), at + 1}}})), 400, 0, "finite"},
		{"unknown beside known", snappy.Encode(nil, remote(series{[][2]string{{"__name__", "up"}}, [][2]float64{{1, at}}}, series{[][2]string{{"metric", Temperature}}, [][2]float64{{36.5, at}}})), 400, 1, "series 1: unknown_metric"},
		{"no snappy", remote(series{[][2]string{{"metric", Temperature}}, [][2]float64{{36.5, at}}}), 400, 0, "snappy"},
		{"says it is 4 GB", huge, 413, 0, "too_large"},
		{"no protobuf", snappy.Encode(nil, []byte("hello")), 400, 0, "protobuf"},
		{"torn protobuf", snappy.Encode(nil, remote(series{[][2]string{{"metric", Temperature}}, [][2]float64{{36.5, at}}})[:20]), 400, 0, "protobuf"},
		{"empty", snappy.Encode(nil, nil), 204, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWeb(t, nil)
			a := w.remoteDoor(t, c.body)
			if a.status != c.status || !strings.Contains(a.body, c.want) || len(w.Points(t, Temperature)) != c.stored {
				t.Errorf("answer %d %s, %d stored", a.status, a.body, len(w.Points(t, Temperature)))
			}
		})
	}
	t.Run("version 2", func(t *testing.T) {
		a := newWeb(t, nil).post(t, "/api/v1/prom/write", nil, "Authorization", bearer, "Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
		if a.status != 415 {
			t.Errorf("answer %d", a.status)
		}
	})
}

// sm4Report is a report as the ministry has it.
func sm4Report(at int64, datas string) string {
	return fmt.Sprintf(`{"dataId":"d-1","enterpriseId":%q,"gatewayId":%q,"collectTime":%q,"isConnectDataSource":true,"reportType":"report","datas":%s}`,
		Enterprise, Gateway, time.UnixMilli(at).In(time.FixedZone("", 8*3600)).Format("20060102150405"), datas)
}

func sealed(t testing.TB, key []byte, report string) string {
	t.Helper()
	ct, err := sm.EncryptCBC(key, IV, []byte(report))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ToUpper(hex.EncodeToString(ct))
}

func (w web) sm4Door(t testing.TB, path, appid, secret, data string) (int, int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"appid": appid, "data": data})
	if err != nil {
		t.Fatal(err)
	}
	a := w.post(t, "/access/v1/"+path, body, "appsecret", secret, "Content-Type", "application/json")
	var got struct {
		Code            int
		Message, DataID string
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("answer %d %s: %v", a.status, a.body, err)
	}
	return a.status, got.Code, got.Message + " " + got.DataID
}

func TestSM4Door(t *testing.T) {
	at := now() / 1000 * 1000
	one := func(metric, value string) string {
		return fmt.Sprintf(`[{"quotaId":%q,"value":%s,"isValid":true}]`, metric, value)
	}
	good := sealed(t, Key, sm4Report(at, one(Temperature, "36.5")))
	flipped := "00" + good[2:]
	if strings.HasPrefix(good, "00") {
		flipped = "FF" + good[2:]
	}
	replace := func(old, new string) string {
		return sealed(t, Key, strings.Replace(sm4Report(at, one(Temperature, "36.5")), old, new, 1))
	}
	for _, c := range []struct {
		name, path, appid, secret, data string
		status, code, stored            int
	}{
		{"good", "realtime", AppID, AppSecret, good, 200, 0, 1},
		{"back-fill", "continues", AppID, AppSecret, good, 200, 0, 1},
		{"lower case", "realtime", AppID, AppSecret, strings.ToLower(good), 200, 0, 1},
		{"wrong appid", "realtime", "nobody", AppSecret, good, 401, 1001, 0},
		{"no appid", "realtime", "", AppSecret, good, 401, 1001, 0},
		{"wrong appsecret", "realtime", AppID, "wrong", good, 401, 1001, 0},
		{"broken hex", "realtime", AppID, AppSecret, "XY" + good, 400, 1002, 0},
		{"not whole blocks", "realtime", AppID, AppSecret, good[:40], 400, 1002, 0},
		{"wrong padding", "realtime", AppID, AppSecret, good[:len(good)-32], 400, 1002, 0},
		{"wrong key", "realtime", AppID, AppSecret, sealed(t, []byte("another key 1234"), sm4Report(at, one(Temperature, "36.5"))), 400, 1002, 0},
		{"first block changed", "realtime", AppID, AppSecret, flipped, 400, 1002, 0},
		{"empty", "realtime", AppID, AppSecret, "", 400, 1002, 0},
		{"no JSON", "realtime", AppID, AppSecret, sealed(t, Key, "hello"), 400, 1002, 0},
		{"no report", "realtime", AppID, AppSecret, sealed(t, Key, `[1,2]`), 400, 1003, 0},
		{"no readings", "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at, `[]`)), 400, 1003, 0},
		{"value is text", "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at, one(Temperature, `"hot"`))), 400, 1003, 0},
		{"switch is boolean", "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at, one(Temperature, `true`))), 200, 0, 1},
		{"unknown metric", "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at, one(Unknown, "1"))), 400, 1004, 0},
		{"metric of another plant", "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at, one(OtherMetric, "1"))), 400, 1004, 0},
		{"another gateway", "realtime", AppID, AppSecret, replace(Gateway, OtherGateway), 400, 1004, 0},
		{"another enterprise", "realtime", AppID, AppSecret, replace(`"`+Enterprise+`"`, `"320505030002"`), 400, 1004, 0},
		{"time in another form", "realtime", AppID, AppSecret, replace(`"collectTime":"20`, `"collectTime":"x20`), 400, 1005, 0},
		{"future", "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at+3600_000, one(Temperature, "1"))), 400, 1005, 0},
		{"too many in back-fill", "continues", AppID, AppSecret, sealed(t, Key, sm4Report(at, "["+strings.Repeat(`{},`, 1000)+"{}]")), 400, 1003, 0},
		{"heartbeat", "heartbeat", AppID, AppSecret, sealed(t, Key, `{"gatewayId":"`+Gateway+`"}`), 200, 0, 0},
		{"heartbeat, source lost", "heartbeat", AppID, AppSecret, sealed(t, Key, `{"isConnectDataSource":false}`), 200, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWeb(t, nil)
			status, code, text := w.sm4Door(t, c.path, c.appid, c.secret, c.data)
			if status != c.status || code != c.code || len(w.Points(t, Temperature)) != c.stored {
				t.Errorf("status %d code %d %s, %d stored", status, code, text, len(w.Points(t, Temperature)))
			}
			if code == 0 && c.path == "realtime" && !strings.HasSuffix(text, "d-1") {
				t.Errorf("dataId is not told back: %s", text)
			}
			if quarantined := len(w.Quarantine(t)) > 0; quarantined != (code != 0 && code != 1001) {
				t.Errorf("in quarantine: %v", w.Quarantine(t))
			}
			if heard := len(w.Heard()) > 0; heard != (c.path == "heartbeat") && c.code == 0 {
				t.Errorf("heard %v", w.Heard())
			}
		})
	}
}

func TestSM4Qualities(t *testing.T) {
	w := newWeb(t, nil)
	at := now() / 1000 * 1000
	w.sm4Door(t, "continues", AppID, AppSecret, sealed(t, Key, sm4Report(at, `[{"quotaId":"`+Temperature+`","value":1},{"quotaId":"`+Pressure+`","value":1,"isValid":false}]`)))
	if q := w.Points(t, Temperature)[0].Quality; q != frame.Backfill {
		t.Errorf("back-fill has quality %d", q)
	}
	if q := w.Points(t, Pressure)[0].Quality; q != frame.Fault {
		t.Errorf("an invalid value has quality %d", q)
	}
	status, code, text := w.sm4Door(t, "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at, `[{"quotaId":"`+Temperature+`","value":2}]`)))
	if status != 200 || code != 1006 {
		t.Errorf("another value at the same time: %d %d %s", status, code, text)
	}
	status, code, _ = w.sm4Door(t, "realtime", AppID, AppSecret, sealed(t, Key, sm4Report(at, `[{"quotaId":"`+Temperature+`","value":1}]`)))
	if status != 200 || code != 0 {
		t.Errorf("the same report again: %d %d", status, code)
	}
}

func TestSM4RateAndNoLeader(t *testing.T) {
	w := newWeb(t, nil)
	w.Down(true)
	at := now() / 1000 * 1000
	data := sealed(t, Key, sm4Report(at, `[{"quotaId":"`+Temperature+`","value":1}]`))
	if status, code, _ := w.sm4Door(t, "realtime", AppID, AppSecret, data); status != 503 || code != 1500 {
		t.Errorf("no leader: %d %d", status, code)
	}
	for range 5 {
		w.sm4Door(t, "realtime", AppID, "wrong", data)
	}
	if status, code, _ := w.sm4Door(t, "realtime", AppID, AppSecret, data); status != 429 || code != 1007 {
		t.Errorf("after wrong secrets: %d %d", status, code)
	}
}

func TestMappingOfTheReport(t *testing.T) {
	m, err := ingest.ParseMapping([]byte("data_id: id\ntime: ts\ntime_layout: ms\nreadings: list\nmetric: code\nvalue: v\nmetrics: {T1: " + Temperature + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWeb(t, func(o *ingest.Options) { o.Mapping = m })
	at := now()
	status, code, text := w.sm4Door(t, "realtime", AppID, AppSecret, sealed(t, Key, fmt.Sprintf(`{"id":7,"ts":%d,"list":[{"code":"T1","v":36.5}]}`, at)))
	if p := w.Points(t, Temperature); status != 200 || code != 0 || len(p) != 1 || p[0].Time != at || !strings.HasSuffix(text, "7") {
		t.Errorf("%d %d %s, points %v", status, code, text, p)
	}
	for _, bad := range []string{"time_zone: Mars/Olympus", "metric: ''", ": ["} {
		if _, err := ingest.ParseMapping([]byte(bad)); err == nil {
			t.Errorf("mapping %q was taken", bad)
		}
	}
}

func TestQuarantineIsBounded(t *testing.T) {
	w := newWeb(t, nil)
	bad := fmt.Sprintf(`{"metric":%q,"time":%d,"value":1}`, Unknown, now())
	body := "[" + strings.Repeat(bad+",", 999) + bad + "]"
	for range 15 {
		w.jsonDoor(t, body)
	}
	q := w.Quarantine(t)
	if len(q) != 10 {
		t.Errorf("%d quarantine records of 15 requests, wanted 10", len(q))
	}
	if q[0].GetCount() != 1000 || len(q[0].GetViolations()) != 100 || len(q[0].GetContent()) != 4096 || !strings.HasPrefix(q[0].GetId(), "Q-jiangsu-") {
		t.Errorf("quarantine %s: count %d, %d violations, %d bytes", q[0].GetId(), q[0].GetCount(), len(q[0].GetViolations()), len(q[0].GetContent()))
	}
}

func TestOptions(t *testing.T) {
	s := New(t, nil)
	for name, o := range map[string]ingest.Options{
		"nothing": {}, "negative rate": {Store: s.Store, Hub: s.Hub, Proposer: s, Rate: -1}, "empty mapping": {Store: s.Store, Hub: s.Hub, Proposer: s, Mapping: &ingest.Mapping{}},
	} {
		if _, err := ingest.New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if errors.Is(ErrNoLeader, ingest.ErrUnavailable) {
		t.Error("the proposer's error is the intake's")
	}
}
