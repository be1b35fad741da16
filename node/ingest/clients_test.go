package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "dusthub/node/ingest/ingesttest"
	"dusthub/node/loopback"
)

func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

func TestCurl(t *testing.T) {
	curl := program(t, "curl", "curl")
	w := newWeb(t, nil)
	file := filepath.Join(t.TempDir(), "lines")
	line := fmt.Sprintf("dust,metric=%s value=36.5 %d\ndust %s=801.5 %d\n", Temperature, now(), Pressure, now())
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(curl, "-sS", "-o", "-", "-w", "%{http_code}", "-XPOST", w.url+"/api/v2/write?precision=ms", "-H", "Authorization: Token "+Gateway+":"+Secret, "--data-binary", "@"+file).CombinedOutput()
	if err != nil || string(out) != "204" {
		t.Errorf("%v: %s", err, out)
	}
	if len(w.Points(t, Temperature)) != 1 || len(w.Points(t, Pressure)) != 1 {
		t.Error("not stored")
	}
}

// TestPrometheus lets a Prometheus server scrape a plant's exporter and write it on.
func TestPrometheus(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	prometheus := program(t, "prometheus", "prometheus")
	w := newWeb(t, nil)
	exporter := httptest.NewServer(http.HandlerFunc(func(r http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(r, "dust{metric=%q} 36.5\ndust{metric=%q} 801.25\n", Temperature, Pressure)
	}))
	defer exporter.Close()
	dir := t.TempDir()
	config := fmt.Sprintf(`
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs: [{job_name: plant, static_configs: [{targets: [%q]}]}]
remote_write:
  - url: %s/api/v1/prom/write
    basic_auth: {username: %q, password: %q}
    queue_config: {batch_send_deadline: 200ms}
    write_relabel_configs: [{source_labels: [__name__], regex: dust, action: keep}]
`, strings.TrimPrefix(exporter.URL, "http://"), w.url, Gateway, Secret)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := loopback.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	addr := free[0]
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, prometheus, "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", addr, "--log.level", "warn")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	log := &strings.Builder{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for ctx.Err() == nil && (len(w.Points(t, Temperature)) < 3 || len(w.Points(t, Pressure)) < 3) {
		time.Sleep(20 * time.Millisecond)
	}
	late := ctx.Err() != nil
	cancel()
	_ = cmd.Wait() // it was interrupted
	if late || strings.Contains(log.String(), "non-recoverable") {
		t.Fatalf("%d readings arrived; Prometheus says: %s", len(w.Points(t, Temperature)), log)
	}
	if p := w.Points(t, Pressure)[0]; p.Value != 801.25 {
		t.Errorf("value %v", p.Value)
	}
}
