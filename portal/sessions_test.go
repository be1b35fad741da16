package portal

import (
	"bufio"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
)

// Many live sessions on one node (T2): real connections over loopback, held by another process, as browsers are. The test's
// size is 2,000; SESSIONS=20000 makes it the figure of docs/benchmarks.md. A system that gives one process fewer files
// than that (ulimit -Hn) bounds it, and the test says so.

const (
	sessionsOfTest   = 2_000
	sessionEvents    = 10 // of the test; of the figure, so many that heartbeats fall among them:
	sessionsFigure   = 70
	sessionWithin    = time.Second // from before a change is proposed until the last of all sessions has it
	filesLeft        = 20          // for what a process opens for a moment
	sessionsAddr     = "DUSTHUB_SESSIONS_ADDR"
	sessionsTokens   = "DUSTHUB_SESSIONS_TOKENS"
	sessionsProvince = "320000"
)

// files lets this process open as many files as it may, and says how many.
func files(t testing.TB) int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	return int(min(l.Max, 1<<20))
}

// held is how many files this process has open.
func held(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// spent is the processor time of this process so far: user and system.
func spent(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	n, events := sessionsOfTest, sessionEvents
	if v, err := strconv.Atoi(os.Getenv("SESSIONS")); err == nil {
		n, events = v, sessionsFigure
	}
	s := newSite(t)
	if has, beside := files(t), held(t)+filesLeft; n > has-beside {
		n = has - beside
		t.Logf("%d sessions: this system gives a process %d files, and a site holds %d", n, has, beside-filesLeft)
	}
	tokens := s.watchers((n + streamsPerUser - 1) / streamsPerUser)
	addr := strings.TrimPrefix(s.serve()[Regulator], "http://")
	before := memory()
	client := startSessions(t, addr, tokens, n)
	defer client.end()
	client.expect("open")
	t.Logf("%d sessions are open, %d streams; %.1f KB each in this process", n, s.server.streams.count(), float64(memory()-before)/float64(n)/1024)
	t.Logf("before the first session the process has %d MB, with all of them %d MB", before>>20, memory()>>20)
	var took []time.Duration
	server, browsers := spent(t), client.spent()
	for i := range events {
		start := time.Now()
		s.put(&schema.Alarm{Id: fmt.Sprint("LIVE-", i), Enterprise: plantA, Rule: "H", Level: 1, Onset: 1, Condition: "active", Stage: "raised"})
		client.expect(fmt.Sprint("LIVE-", i))
		took = append(took, time.Since(start))
	}
	each := func(d time.Duration) time.Duration { return (d / time.Duration(events)).Round(time.Millisecond) }
	t.Logf("processor time of an event: %v of the server, %v of the browsers", each(spent(t)-server), each(client.spent()-browsers))
	slices.Sort(took)
	p90 := took[len(took)*9/10]
	t.Logf("%d sessions, an event to the last of them: median %v, nine of ten within %v, longest of %d %v", n, took[len(took)/2], p90, len(took), took[len(took)-1])
	if p90 > sessionWithin {
		t.Errorf("nine events of ten take %v to all of %d sessions, wanted %v", p90, n, sessionWithin)
	}
	if got := s.server.streams.count(); got != n {
		t.Errorf("%d streams are left of %d", got, n)
	}
}

// watchers are regulators who look at the whole province; a token each.
func (s *site) watchers(n int) []string {
	var tokens []string
	var list []schema.Record
	now := s.now().UnixMilli()
	for i := range n {
		login, token := fmt.Sprint("watcher", i), fmt.Sprint("token of watcher ", i)
		tokens = append(tokens, token)
		list = append(list, &schema.User{Login: login, Name: "值班", Role: provinceRegulator, Region: sessionsProvince, Password: "pbkdf2-hmac-sm3$1$x$x"},
			&schema.Session{Id: sessionID(token), Login: login, Portal: string(Regulator), Created: now, Expires: now + sessionFor.Milliseconds()})
	}
	for part := range slices.Chunk(list, 500) {
		s.put(part...)
	}
	return tokens
}

// memory is what this process takes of the system now, bytes.
func memory() int {
	debug.FreeOSMemory()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize()
}

// sessionsProcess is the process of the browsers. It tells on its output when all streams are open, and when all have an event.
type sessionsProcess struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

func startSessions(t *testing.T, addr string, tokens []string, n int) *sessionsProcess {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestSessionsProcess$", "-test.v")
	cmd.Env = append(os.Environ(), sessionsAddr+"="+addr, sessionsTokens+"="+strings.Join(tokens, ";"), "SESSIONS="+strconv.Itoa(n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &sessionsProcess{t: t, cmd: cmd, lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			p.lines <- sc.Text()
		}
	}()
	return p
}

// expect waits for a line; every other that does not tell of an event is a complaint.
func (p *sessionsProcess) expect(want string) {
	p.t.Helper()
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the sessions ended before %s", want)
			}
			if line == "all: "+want {
				return
			}
			if !strings.HasPrefix(line, "=== ") {
				p.t.Log(line)
			}
		case <-time.After(2 * time.Minute):
			p.t.Fatalf("not all sessions have %s", want)
		}
	}
}

// spent is the processor time of the browsers so far.
func (p *sessionsProcess) spent() time.Duration {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	ticks := 0
	for _, field := range strings.Fields(rest)[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(field)
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(10*ticks) * time.Millisecond
}

func (p *sessionsProcess) end() {
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	for range p.lines { // read to the end, so that the reader ends
	}
	if err := p.cmd.Wait(); err != nil && p.cmd.ProcessState.Exited() {
		p.t.Error(err)
	}
}

// TestSessionsProcess is no test: it is the process of the browsers that TestManySessions starts.
func TestSessionsProcess(t *testing.T) {
	addr := os.Getenv(sessionsAddr)
	if addr == "" {
		t.Skip("started by TestManySessions")
	}
	files(t)
	n, err := strconv.Atoi(os.Getenv("SESSIONS"))
	if err != nil {
		t.Fatal(err)
	}
	tokens := strings.Split(os.Getenv(sessionsTokens), ";")
	heard := make(chan string, n)
	var opening sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range n {
		slots <- struct{}{}
		opening.Go(func() {
			defer func() { <-slots }()
			if err := openSession(addr, tokens[i%len(tokens)], heard); err != nil {
				fmt.Println("session", i, err)
			}
		})
	}
	opening.Wait()
	fmt.Println("all: open")
	have := map[string]int{}
	for key := range heard {
		if have[key]++; have[key] == n {
			fmt.Println("all: " + key)
		}
	}
}

// openSession opens a stream as a browser does, waits for its first event, and then tells which changes it hears of.
func openSession(addr, token string, heard chan<- string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(conn, "GET /api/v1/events HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\n\r\n", addr, cookiePrefix+"_"+siteID+"_"+string(Regulator), token)
	r := bufio.NewReaderSize(conn, 1024)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	body := bufio.NewReaderSize(res.Body, 1024)
	if line, err := body.ReadString('\n'); err != nil || line != "event: hello\n" {
		return cmp.Or(err, fmt.Errorf("begins with %q", line))
	}
	go func() {
		for {
			line, err := body.ReadString('\n')
			if err != nil {
				fmt.Println("a session ended:", err)
				return
			}
			if _, rest, ok := strings.Cut(line, `"key":"`); ok {
				key, _, _ := strings.Cut(rest, `"`)
				heard <- key
			}
		}
	}()
	return nil
}

func (st *streams) count() int { st.mu.Lock(); defer st.mu.Unlock(); return st.all }

// A person has so many sessions at once; a login more ends the oldest, and ends what is over anyway.
func TestSessionsAreLimited(t *testing.T) {
	s := withLogin(t)
	var tokens []string
	for range sessionsPerUser + 1 {
		s.enter(Regulator, "duty", rightPassword)
		tokens = append(tokens, s.tokens["duty"])
		s.pass(time.Second)
	}
	for i, want := range map[int]int{0: http.StatusUnauthorized, 1: http.StatusOK, sessionsPerUser: http.StatusOK} {
		s.tokens["duty"] = tokens[i]
		if got := s.as("duty", http.MethodGet, "/api/v1/session", nil); got.status != want {
			t.Errorf("session %d of %d: %d, wanted %d", i+1, len(tokens), got.status, want)
		}
	}
	s.pass(sessionIdle)
	s.enter(Regulator, "duty", rightPassword)
	page, err := s.backend.store.List(t.Context(), store.Query{Type: "Session", Index: "login", Prefix: []string{"duty"}})
	if err != nil || len(page.Rows) != 1 {
		t.Errorf("sessions left: %d %v", len(page.Rows), err)
	}
}
