package portal

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/node/config"
	"dusthub/node/notify"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
)

// inTime fails when something takes so long that asking for it again and again would stop a site.
func inTime(t *testing.T, what string, most time.Duration, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > most {
		t.Errorf("%s took %s", what, took)
	}
}

// largeBodies: every writing route refuses more than it needs, before it is read.
func largeBodies(t *testing.T) {
	s := newProbed(t)
	large := `{"text":"` + strings.Repeat("x", maxBody) + `"}`
	huge := strings.Repeat("x", maxAttachment+maxHeader+1)
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		if a.Method == http.MethodGet {
			return
		}
		body := large
		if a.body > maxBody {
			body = huge
			if got := s.tried(t, p, "", a.Method, fill(t, a.Path), large); got.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%d bytes of a file from nobody: %d", len(large), got.status)
			}
		}
		for _, login := range []string{"", "ministry", "manager-a"} {
			got := s.tried(t, p, login, a.Method, fill(t, a.Path), body)
			if got.status != http.StatusRequestEntityTooLarge && (login != "" && got.status != http.StatusForbidden && got.status != http.StatusUnauthorized || login == "" && got.status/100 != 4) {
				t.Errorf("%d bytes from %q: %d %s", len(body), login, got.status, clip(string(got.body), 200))
			}
		}
	})
}

// largeFiles: a file is taken from a person and from a machine's key, and from nobody else.
func largeFiles(t *testing.T) {
	s := newProbed(t)
	key := keyPrefix + probeKey + "_" + strings.Repeat("k", 43)
	s.put(&schema.ApiKey{Id: probeKey, Login: "worker-a", Name: "接口", SecretSm3: keyDigest(strings.Repeat("k", 43)), Routes: []string{"attachment-upload"}, Portal: string(Enterprise), Created: probeTime, Expires: probeTime + dayMs})
	photo := string(noisyPicture(t, 1600))
	for who, c := range map[string]struct {
		login, key string
		status     int
	}{
		"a person": {"worker-a", "", http.StatusOK}, "a machine": {"", key, http.StatusOK}, "nobody": {"", "", http.StatusRequestEntityTooLarge}, "a key that is none": {"", key[:len(key)-1] + "x", http.StatusRequestEntityTooLarge},
	} {
		got := s.tried(t, Enterprise, c.login, http.MethodPost, "/api/v1/attachments", photo, func(r *http.Request) {
			r.Header.Set("Content-Type", "image/png")
			if c.key != "" {
				r.Header.Set("Authorization", "Bearer "+c.key)
			}
		})
		if got.status != c.status {
			t.Errorf("%d bytes from %s: %d", len(photo), who, got.status)
		}
	}
}

// largePages: no list gives more than a thousand items, whatever is asked for.
func largePages(t *testing.T) {
	s := newProbed(t)
	lists := 0
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		op := s.operationOf(p, a)
		if a.Method != http.MethodGet || !slices.ContainsFunc(op.Parameters, func(x *huma.Param) bool { return x.Name == "limit" }) {
			return
		}
		lists++
		s.t = t
		who := actors[slices.IndexFunc(actors, func(x actor) bool { return x.portal == p && slices.Contains(a.Roles, x.role()) })]
		for value, most := range map[string]int{"1000000000": http.StatusOK, "9223372036854775807": http.StatusOK, "-1": http.StatusUnprocessableEntity, "all": http.StatusUnprocessableEntity, "1e9": http.StatusUnprocessableEntity, "9223372036854775808": http.StatusUnprocessableEntity} {
			q, _ := url.ParseQuery(strings.TrimPrefix(queryProbes[a.ID], "?"))
			q.Set("limit", value)
			got := s.on(p, who.login, http.MethodGet, fill(t, a.Path)+"?"+q.Encode(), nil)
			var page struct{ Items []json.RawMessage }
			_ = json.Unmarshal(got.body, &page) // what is no page has no items
			if len(page.Items) > maxPage || got.status != most && got.status != http.StatusUnprocessableEntity {
				t.Errorf("limit=%s: %d, %d items", value, got.status, len(page.Items))
			}
		}
	})
	if lists < 10 {
		t.Errorf("%d lists", lists)
	}
	if pageSize(1<<40) != maxPage || pageSize(-1) != defaultPage {
		t.Errorf("pages of %d and %d", pageSize(1<<40), pageSize(-1))
	}
}

// deepAndWide: nesting, repetition and length cost no more than a moment.
func deepAndWide(t *testing.T) {
	s := newProbed(t)
	deep := strings.Repeat(`{"a":`, 200_000) + "1" + strings.Repeat("}", 200_000)
	lists := strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000)
	wide := `{"changes":[` + strings.TrimSuffix(strings.Repeat(`{"type":"Workshop"},`, 2001), ",") + `]}`
	many := `{"changes":[{"type":"Workshop","record":{` + strings.Repeat(`"code":"x",`, 100_000) + `"name":"y"}}]}`
	for name, body := range map[string]string{
		"deep": deep, "deep lists": lists, "deep record": `{"changes":[{"type":"Workshop","record":` + deep + `}]}`, "more changes than one request has": wide, "one field a hundred thousand times": many,
		"a long number": `{"changes":[{"type":"Workshop","record":{"area_m2":` + strings.Repeat("9", 500_000) + `}}]}`, "a number of a large power": `{"changes":[{"type":"Workshop","record":{"area_m2":1e999999999}}]}`,
	} {
		inTime(t, name, 3*time.Second, func() {
			if got := s.on(Enterprise, "manager-a", http.MethodPost, "/api/v1/records", nil, withBody("application/json", body)); got.status/100 != 4 {
				t.Errorf("%s: %d %s", name, got.status, clip(string(got.body), 200))
			}
		})
	}
	for name, q := range map[string]string{
		"filters without end": "?" + strings.Repeat("level=red&", 1500), "regions without end": "?region=" + strings.Repeat("320505,", 99), "dusts without end": "?dust=" + strings.Repeat("1,", 99), "more than a header holds": "?q=" + strings.Repeat("x", maxHeader),
		"unknown filters": "?" + strings.Repeat("x=1&", 1000),
	} {
		inTime(t, name, 3*time.Second, func() {
			if got := s.served(Regulator, "suzhou", "/api/v1/enterprises"+q); got.status >= 500 && got.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s: %d %s", name, got.status, clip(string(got.body), 200))
			}
		})
	}
}

// tried sends a body that may be refused before it is read; the connection is then closed on it.
func (s *site) tried(t *testing.T, p Portal, login, method, path, body string, set ...func(*http.Request)) reply {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if token := s.tokens[login]; token != "" {
		req.AddCookie(&http.Cookie{Name: s.server.doors[p].cookieName(), Value: token})
		req.Header.Set(csrfHeader, csrfOf(token))
	}
	for _, f := range set {
		f(req)
	}
	res, err := s.server.App(p).Test(req, -1)
	if err != nil {
		if strings.Contains(err.Error(), "body size exceeds") {
			return reply{status: http.StatusRequestEntityTooLarge}
		}
		t.Fatal(err)
	}
	defer res.Body.Close()
	return reply{status: res.StatusCode, header: res.Header}
}

// served asks as on does, but takes a connection that was closed on a request that is too large for an answer.
func (s *site) served(p Portal, login, path string) reply {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://x"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: s.server.doors[p].cookieName(), Value: s.tokens[login]})
	res, err := s.server.App(p).Test(req, -1)
	if err != nil {
		return reply{status: http.StatusRequestHeaderFieldsTooLarge}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, b}
}

// zipped makes a file of parts.
func zipped(t testing.TB, parts map[string]io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range parts {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.Copy(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withSheet is the probe's workbook with another sheet in the place of its own, and further parts.
func withSheet(t testing.TB, sheet io.Reader, more map[string]string) []byte {
	t.Helper()
	good := probeWorkbook()
	z, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]io.Reader{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = bytes.NewReader(content)
	}
	if sheet != nil {
		parts["xl/worksheets/sheet1.xml"] = sheet
	}
	for name, content := range more {
		parts[name] = strings.NewReader(content)
	}
	return zipped(t, parts)
}

func (s *site) importing(body []byte) reply {
	return s.on(Regulator, "suzhou", http.MethodPost, "/api/v1/records/Enterprise/import", nil, withBody(workbookType, string(body)))
}

// blanks is as long a sheet of nothing as is read of it.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// bombs: small things that become large where they are read.
func bombs(t *testing.T) {
	s := newProbed(t)
	const unpacked = 256 << 20
	bomb := withSheet(t, io.LimitReader(blanks{}, unpacked), nil)
	inTime(t, "a workbook of 256 MB", 5*time.Second, func() {
		if got := s.importing(bomb); got.status != http.StatusUnprocessableEntity {
			t.Errorf("a workbook of 256 MB in %d bytes: %d %s", len(bomb), got.status, clip(string(got.body), 200))
		}
	})
	picture := pictureOf("suzhou")
	binary.BigEndian.PutUint32(picture[16:], 60_000)
	binary.BigEndian.PutUint32(picture[20:], 60_000)
	binary.BigEndian.PutUint32(picture[29:], crc32.ChecksumIEEE(picture[12:29]))
	if got := s.as("suzhou", http.MethodPost, "/api/v1/attachments", picture); got.status/100 != 4 {
		t.Errorf("a picture of 60,000 by 60,000: %d %s", got.status, got.body)
	}
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	inTime(t, "a document of aliases", 3*time.Second, func() {
		if got := s.as("ministry", http.MethodPost, "/api/v1/models/check", object{"document": laughs}); got.status >= 500 || strings.Contains(string(got.body), `"ok":true`) {
			t.Errorf("a document of aliases: %d %s", got.status, clip(string(got.body), 200))
		}
	})
	digits := "[0,1,2,3,4,5,6,7,8,9]"
	for _, e := range []string{
		strings.Repeat("(", 400) + "C001T0101 > 55" + strings.Repeat(")", 400), strings.Repeat("!", 900) + "true", digits + ".all(a," + digits + ".all(b," + digits + ".all(c," + digits + ".all(d," + digits + ".all(e," + digits + ".all(f," + digits + ".all(g,a+b+c+d+e+f+g>=0)))))))",
		`"` + strings.Repeat("a", 400) + `".matches("(a+)+$") && C001T0101 > 55`, strings.Repeat("C001T0101 > 1 || ", 50) + "true",
	} {
		inTime(t, "the condition "+clip(e, 60), 2*time.Second, func() {
			if got := s.as("manager-a", http.MethodPost, "/api/v1/rules/check", object{"expression": e}); got.status >= 500 {
				t.Errorf("%s: %d %s", clip(e, 60), got.status, got.body)
			}
		})
	}
}

// slowClients: who sends slowly is shut out in a time, and does not keep others waiting.
func slowClients(t *testing.T) {
	s := newProbed(t)
	for _, p := range both {
		c := s.server.App(p).Config()
		if c.ReadTimeout <= 0 || c.ReadTimeout > 30*time.Second || c.WriteTimeout <= 0 || c.IdleTimeout <= 0 || c.IdleTimeout > 2*time.Minute || c.Concurrency <= 0 || c.ReadBufferSize > 16<<10 || c.BodyLimit > maxAttachment+maxHeader {
			t.Errorf("%s portal: %+v", p, c)
		}
	}
	addr := strings.TrimPrefix(s.serve()[Regulator], "http://")
	for range 50 { // each holds a connection with a request that never ends
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	inTime(t, "an answer beside slow clients", 2*time.Second, func() {
		res, err := http.Get("http://" + addr + "/openapi.json")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A body that is said to be too large is refused before a byte of it is sent.
	if _, err := io.WriteString(conn, "POST /api/v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 100)
	if n, err := conn.Read(head); err != nil || !bytes.Contains(head[:n], []byte(" 413 ")) {
		t.Errorf("a body of a gigabyte: %q %v", head[:n], err)
	}
	// Two lengths, or a length beside chunks, are how requests are smuggled.
	for _, smuggled := range []string{
		"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nabcdGET /api/v1/users HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, smuggled); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn) // ends by the deadline
		conn.Close()
		if n := bytes.Count(answer, []byte(" 200 ")); n > 1 || bytes.Contains(answer, []byte(`"openapi"`)) && bytes.Contains([]byte(smuggled), []byte("chunked")) && bytes.Count(answer, []byte("HTTP/1.1")) != 2 {
			t.Errorf("smuggled: %s", clip(string(answer), 300))
		}
	}
}

// boundedFlows: what calls people, or makes many records at once, is bounded for each person.
func boundedFlows(t *testing.T) {
	s := newProbed(t)
	test := func() int {
		return s.as("worker-a", http.MethodPost, "/api/v1/channels/"+probeChannel+"/test", nil).status
	}
	if first, second := test(), test(); first != http.StatusOK || second != http.StatusTooManyRequests {
		t.Errorf("two test messages at once: %d and %d", first, second)
	}
	made := 0
	for range channelsMost + 3 {
		if s.as("worker-a", http.MethodPost, "/api/v1/channels", object{"kind": "email", "address": "a@example.com"}).status == http.StatusOK {
			made++
		}
	}
	if made >= channelsMost {
		t.Errorf("%d channels of one person", made)
	}
	if got := s.as("ministry", http.MethodPost, "/api/v1/spot-checks/draw", object{"count": 201, "title": "x"}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a draw of 201 plants: %d", got.status)
	}
	offers := 0
	for range failuresPair + 2 {
		if s.as("worker-a", http.MethodPost, "/api/v1/session/second-factor/offer", object{"password": "guess"}).status == http.StatusTooManyRequests {
			offers++
		}
	}
	if offers == 0 {
		t.Error("a session that was left open is a place to guess the password at without end")
	}
}

// channelsInside: an address that leads inside is not taken as a channel, by the site's real notifier; what a name resolves to is judged when
// it is called (node/notify, TestNameThatPointsInside).
func channelsInside(t *testing.T) {
	dir := t.TempDir()
	secret := writeFile(t, dir, "secret", "s")
	s := newProbed(t, func(o *Options) {
		n, err := notify.New(notify.Options{ID: siteID, KeysDir: dir, Keys: o.Keys, Config: config.Notify{Timeout: time.Second, Webhook: config.Webhook{SecretFile: secret}, Networks: []string{"10.20.0.0/16"}}})
		if err != nil {
			t.Fatal(err)
		}
		o.Notifier = n
	})
	for address, taken := range map[string]bool{
		"https://127.0.0.1/x": false, "https://[::1]/x": false, "https://169.254.169.254/latest/meta-data": false, "https://10.1.2.3/x": false, "https://192.168.1.1/": false, "https://[::ffff:127.0.0.1]/": false,
		"http://example.com/": false, "file:///etc/passwd": false, "gopher://example.com/": false, "https://user:secret@example.com/": false, "javascript:alert(1)": false, "//example.com": false,
		"https://0.0.0.0/": false, "https://10.20.3.4/hook": true, "https://example.com/hook": true,
	} {
		got := s.as("worker-a", http.MethodPost, "/api/v1/channels", object{"kind": "webhook", "address": address})
		if (got.status == http.StatusOK) != taken {
			t.Errorf("%s: %d %s", address, got.status, got.body)
		}
		if strings.Contains(string(got.body), "secret") {
			t.Errorf("the address is told: %s", got.body)
		}
		// The browser says where its push service is: that is somebody's word, too.
		subscription := object{"endpoint": address, "keys": object{"p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}
		got = s.as("manager-a", http.MethodPost, "/api/v1/channels", object{"kind": "web_push", "subscription": subscription})
		if (got.status == http.StatusOK) != taken {
			t.Errorf("push service %s: %d %s", address, got.status, got.body)
		}
	}
	// Names of this machine are taken as names, and refused when they are called.
	var made ChannelView
	s.as("worker-a", http.MethodPost, "/api/v1/channels", object{"kind": "webhook", "address": "https://localhost:1/x"}).into(t, &made)
	var result ChannelTest
	s.as("worker-a", http.MethodPost, "/api/v1/channels/"+made.Channel.GetId()+"/test", nil).into(t, &result)
	if result.OK || !strings.Contains(result.Error, "neither public") {
		t.Errorf("localhost: %+v", result)
	}
	// A camera is named by its code of GB/T 28181; no URL of one is kept, so that none can lead inside.
	camera := object{"gb_id": "32050500001320000001", "enterprise": plantA, "site": "01", "url": "rtsp://127.0.0.1/"}
	if got := s.as("manager-a", http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "Camera", "record": camera}}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a camera with a URL: %d %s", got.status, got.body)
	}
}
