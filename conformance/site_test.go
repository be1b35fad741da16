package conformance

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"dusthub/crypto/pki"

	"go.yaml.in/yaml/v3"
)

const siteID = "ministry"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// certified makes a CA, the identity of the site to be audited, and one for the auditor.
func certified(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ca, err := pki.NewCA(filepath.Join(dir, "ca"), "test CA")
	must(t, err)
	for _, name := range []string{siteID, "audit"} {
		must(t, ca.Issue(filepath.Join(dir, name), name, pki.UnitSite, []string{"127.0.0.1"}, time.Hour))
	}
	return dir
}

func targetOf(dir, addr string) Target {
	return Target{Site: siteID, Addr: addr, Identity: filepath.Join(dir, "audit"), CA: filepath.Join(dir, "ca")}
}

// freeAddrs are addresses on loopback that nobody listens on, all different.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out
}

// startSite builds the program and runs it as a ministry: the suite must not see its packages. It returns where children dial.
func startSite(t testing.TB, dir string) (grpcAddr string) {
	t.Helper()
	binary := filepath.Join(dir, "dusthub")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "dusthub/cmd/dusthub").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	addrs := freeAddrs(t, 4)
	type m = map[string]any
	config, err := yaml.Marshal(m{
		"site":         m{"id": siteID, "name": "应急管理部", "level": "ministry"},
		"data_dir":     filepath.Join(dir, "data"),
		"identity_dir": filepath.Join(dir, siteID),
		"replica":      m{"id": "one", "raft": addrs[0], "rpc": addrs[1], "peers": []m{{"id": "one", "raft": addrs[0], "rpc": addrs[1]}}, "bootstrap": true},
		"listen":       m{"grpc": addrs[2], "ops": addrs[3]},
		"ledger":       m{"checkpoint_every": "1s"},
		"bootstrap":    m{"admin_login": "admin", "admin_password_file": filepath.Join(dir, "admin.password")}, // an entry that never leaves
	})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "site.yaml"), config, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "admin.password"), []byte("Conformance-2026"), 0o600))
	var log bytes.Buffer
	cmd := exec.Command(binary, "serve", "--config", filepath.Join(dir, "site.yaml"))
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Error("the site does not end")
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("log of the site:\n%s", log.String())
		}
	})
	ready(t, fmt.Sprintf("http://%s/readyz", addrs[3]), ended)
	return addrs[2]
}

// ready waits until the site answers that it is ready.
func ready(t testing.TB, url string, ended chan error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the site ended: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("the site does not get ready")
}
