package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const whole = `
site: {id: jiangsu, name: 江苏省应急管理厅, level: province, region: "320000"}
data_dir: /tmp/d
identity_dir: /tmp/i
replica:
  id: jiangsu-1
  raft: 127.0.0.1:8206
  rpc: 127.0.0.1:8207
  peers:
    - {id: jiangsu-1, raft: "127.0.0.1:8206", rpc: "127.0.0.1:8207"}
    - {id: jiangsu-2, raft: "127.0.0.1:8216", rpc: "127.0.0.1:8217"}
    - {id: jiangsu-3, raft: "127.0.0.1:8226", rpc: "127.0.0.1:8227"}
  bootstrap: true
parent: {site: ministry, addr: "127.0.0.1:8104"}
listen: {regulator: "127.0.0.1:8200", enterprise: "127.0.0.1:8201", access: "127.0.0.1:8202", mqtt: "127.0.0.1:8203", grpc: "127.0.0.1:8204", ops: "127.0.0.1:8205"}
store: {partition: 2m, grace: 30s, checkpoint_every: 1m}
engine: {offline_after: 20s, model: demo}
ledger: {checkpoint_every: 5s}
bootstrap: {admin_login: admin, admin_password_file: /tmp/d/admin.password}
`

func load(t *testing.T, text string, environ []string, overrides map[string]any) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, environ, overrides)
}

func TestLaterSourcesWin(t *testing.T) {
	c, err := load(t, whole, []string{"DUSTHUB_STORE__PARTITION=3m", "DUSTHUB_STORE__CACHE_MB=128", "HOME=/root"}, map[string]any{"store.partition": "4m", "log.level": "debug"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Store.Partition != 4*time.Minute || c.Store.CacheMB != 128 || c.Store.Grace != 30*time.Second || c.Store.LateWindow != 168*time.Hour || c.Log.Level != "debug" {
		t.Errorf("%+v %+v", c.Store, c.Log)
	}
	if len(c.Replica.Peers) != 3 || c.Replica.Peers[2].RPC != "127.0.0.1:8227" || c.KeysDir != "/tmp/i/keys" || c.Site.Name != "江苏省应急管理厅" {
		t.Errorf("%+v", c)
	}
}

func TestPrintedConfigurationLoadsAgain(t *testing.T) {
	c, err := load(t, whole, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err = c.Print(&b); err != nil {
		t.Fatal(err)
	}
	again, err := load(t, b.String(), nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	if !reflect.DeepEqual(c, again) {
		t.Errorf("%+v\nbecame\n%+v", c, again)
	}
}

func TestSmallestConfiguration(t *testing.T) {
	c, err := load(t, "site: {id: ministry, name: M, level: ministry}\ndata_dir: d\nidentity_dir: i\nparent: {}\nlisten:\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Replica.ID != "ministry-1" || !c.Replica.Bootstrap {
		t.Errorf("%+v", c.Replica)
	}
}

// TestEveryErrorIsNamed: all that is wrong is in one error, each with its key.
func TestEveryErrorIsNamed(t *testing.T) {
	cases := []struct {
		name, from, to string
		environ        []string
		want           []string
	}{
		{name: "unknown keys", from: "grace: 30s", to: "grace: 30s, grase: 1s, tick: 1s", want: []string{"store.grase: unknown key", "store.tick: unknown key (is engine.tick meant?)"}},
		{name: "unknown section", from: "ledger:", to: "leger: {a: 1}\nledger:", want: []string{"leger.a: unknown key"}},
		{name: "unknown variable", environ: []string{"DUSTHUB_SITE__NAM=x"}, want: []string{"site.nam: unknown key"}},
		{name: "nothing", from: whole, to: "{}", want: []string{"site.id: is needed", "site.name: is needed", "site.level: is needed", "data_dir: is needed", "identity_dir: is needed"}},
		{name: "forms", from: "id: jiangsu, name", to: "id: Jiang Su, name", want: []string{"site.id: must be 2 to 32 lower case"}},
		{name: "region", from: `"320000"`, to: `"329999"`, want: []string{"site.region: must be a GB/T 2260 code"}},
		{name: "region missing", from: `, region: "320000"`, to: "", want: []string{"site.region: is needed for level province"}},
		{name: "level", from: "level: province", to: "level: county", want: []string{"site.level: must be one of ministry province city"}},
		{name: "durations", from: "partition: 2m", to: "partition: 100h", want: []string{"store.partition: must be at most 24h"}},
		{name: "not a duration", from: "partition: 2m", to: "partition: often", want: []string{"store.partition"}},
		{
			name: "what cannot be read hides nothing else", from: "partition: 2m", to: "partition: often, cache_mb: x, log_mb: 1", environ: []string{"DUSTHUB_LOG__LEVEL=loud"},
			want: []string{"store.partition: time: invalid duration", "store.cache_mb: cannot parse", "store.log_mb: must be at least 64", "log.level: must be one of"},
		},
		{name: "tick", from: "offline_after: 20s", to: "offline_after: 20s, tick: 10ms", want: []string{"engine.tick: must be at least 1s"}},
		{name: "address", from: `regulator: "127.0.0.1:8200"`, to: `regulator: "8200"`, want: []string{"listen.regulator: must be host:port"}},
		{name: "two on one address", from: `mqtt: "127.0.0.1:8203"`, to: `mqtt: "127.0.0.1:8202"`, want: []string{"listen.mqtt: 127.0.0.1:8202 is listen.access's, too"}},
		{name: "parent by half", from: `parent: {site: ministry, addr: "127.0.0.1:8104"}`, to: "parent: {site: ministry}", want: []string{"parent: site and addr belong together"}},
		{name: "own parent", from: "parent: {site: ministry", to: "parent: {site: jiangsu", want: []string{"parent.site: must be another site"}},
		{name: "ministry with parent", from: "level: province", to: "level: ministry", want: []string{"parent: a ministry has none"}},
		{name: "peer twice", from: "id: jiangsu-2, raft: \"127.0.0.1:8216\"", to: "id: jiangsu-3, raft: \"127.0.0.1:8216\"", want: []string{`replica.peers[2]: "jiangsu-3" is in peers[1], too`}},
		{name: "not among peers", from: "  id: jiangsu-1\n", to: "  id: jiangsu-9\n", want: []string{`replica.peers: "jiangsu-9" is not among them`}},
		{name: "two replicas", from: "    - {id: jiangsu-3, raft: \"127.0.0.1:8226\", rpc: \"127.0.0.1:8227\"}\n", to: "", want: []string{"replica.peers: must be 1, 3 or 5, are 2"}},
		{name: "model", from: "model: demo", to: "model: /nowhere/model.yaml", want: []string{"engine.model: open /nowhere/model.yaml"}},
		{name: "administrator by half", from: ", admin_password_file: /tmp/d/admin.password", to: "", want: []string{"bootstrap: admin_login and admin_password_file"}},
		{name: "windows", from: "partition: 2m", to: "partition: 2m, late_window: 5m", want: []string{"store.live_within: must be at most store.late_window"}},
		{name: "notify, forms", from: "ledger:", to: "notify: {language: fr, queue: 1, workers: 0, attempts: 0, timeout: 1ms, contact: ops, url: x}\nledger:", want: []string{
			"notify.language: must be one of zh en", "notify.queue: must be at least 10", "notify.workers: must be at least 1", "notify.attempts: must be at least 1", "notify.timeout: must be at least 1s", "notify.contact", "notify.url",
		}},
		{name: "notify, pauses", from: "ledger:", to: "notify: {backoff: 1m, backoff_most: 30s}\nledger:", want: []string{"notify.backoff_most: must be at least notify.backoff 1m0s, is 30s"}},
		{name: "notify, mail by half", from: "ledger:", to: "notify: {smtp: {addr: \"mail:25\", user: u}}\nledger:", want: []string{"notify.smtp: addr and from belong together", "notify.smtp: user and password_file belong together"}},
		{name: "notify, password in clear", from: "ledger:", to: "notify: {smtp: {addr: \"mail:25\", from: a@example.com, user: u, password_file: /dev/null, tls: none}}\nledger:", want: []string{"notify.smtp.tls: a password needs starttls or tls"}},
		{name: "notify, mail, forms", from: "ledger:", to: "notify: {smtp: {addr: mail, from: nobody, tls: maybe}}\nledger:", want: []string{"notify.smtp.addr: must be host:port", "notify.smtp.from", "notify.smtp.tls: must be one of starttls tls none"}},
		{name: "notify, files", from: "ledger:", to: "notify: {webhook: {secret_file: /nowhere/w}, smtp: {ca_file: /nowhere/c}, sms: {ca_file: /nowhere/s}}\nledger:", want: []string{"notify.webhook.secret_file: open /nowhere/w", "notify.smtp.ca_file: open /nowhere/c", "notify.sms.ca_file: open /nowhere/s"}},
		{name: "notify, SMS", from: "ledger:", to: "notify: {sms: {url: \"http://sms.example.com\", template: '{\"to\":\"{{.Text}}\"}', header: Authorization, ok_field: code}}\nledger:", want: []string{
			"notify.sms.url: must be https", "notify.sms.template: must give JSON", "notify.sms: header and secret_file belong together", "notify.sms: ok_field and ok_value belong together",
		}},
		{name: "notify, SMS with a password in its URL", from: "ledger:", to: "notify: {sms: {url: \"https://u:p@sms.example.com\", template: '{\"to\":{{json .Nobody}}}'}}\nledger:", want: []string{"notify.sms.url: must be https, without a password", "notify.sms.template: must give JSON"}},
		{name: "notify, unknown key", from: "ledger:", to: "notify: {smtp: {password: hush}}\nledger:", want: []string{"notify.smtp.password: unknown key"}},
		{name: "oidc, by half", from: "ledger:", to: "portal: {oidc: {regulator: {issuer: \"https://sso.example.com\"}, enterprise: {client_id: x}}}\nledger:", want: []string{
			"portal.oidc.regulator.client_id: is needed", "portal.oidc.regulator.client_secret_file: is needed", "portal.oidc.regulator.url: is needed", "portal.oidc.regulator.name_zh: is needed", "portal.oidc.enterprise.issuer: is needed",
		}},
		{name: "oidc, forms", from: "ledger:", to: "portal: {oidc: {regulator: {issuer: \"http://sso.example.com\", client_id: x, client_secret_file: /nowhere/s, ca_file: /nowhere/c, url: \"https://u:p@portal.example.com/app\", name_zh: 统一, name_en: SSO}}}\nledger:", want: []string{
			"portal.oidc.regulator.issuer: must be https", "portal.oidc.regulator.url: must be https", "portal.oidc.regulator.url: a portal stands at the root", "portal.oidc.regulator.client_secret_file: open /nowhere/s", "portal.oidc.regulator.ca_file: open /nowhere/c",
		}},
		{name: "proxies", from: "ledger:", to: "portal: {proxies: [10.0.0.5]}\nledger:", want: []string{"portal.proxies[0]: must be a network"}},
		{name: "oidc, secret in clear", from: "ledger:", to: "portal: {oidc: {regulator: {client_secret: hush}}}\nledger:", want: []string{"portal.oidc.regulator.client_secret: unknown key"}},
		{name: "several", from: "data_dir: /tmp/d\n", to: "log: {level: loud}\nnonsense: 1\n", want: []string{"data_dir: is needed", "log.level: must be one of", "nonsense: unknown key"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.from != "" && !strings.Contains(whole, c.from) {
				t.Fatalf("the test replaces %q, which is not there", c.from)
			}
			_, err := load(t, strings.Replace(whole, c.from, c.to, 1), c.environ, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range c.want {
				if strings.Count(err.Error(), w) != 1 {
					t.Errorf("%v\nwanted %q", err, w)
				}
			}
		})
	}
}

func TestDefaultsAreValidWithASite(t *testing.T) {
	c := Defaults()
	if !c.Portal.FirstChange || c.Portal.SecondFactor != "required" {
		t.Errorf("people may log in with a password alone that somebody else knows: %+v", c.Portal)
	}
	c.Site = Site{ID: "ministry", Name: "M", Level: "ministry"}
	c.DataDir, c.IdentityDir = "d", "i"
	c.derive()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"good": " hush \n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ path, want, wrong string }{
		{"", "", ""}, {filepath.Join(dir, "good"), "hush", ""}, {filepath.Join(dir, "empty"), "", "is empty"}, {filepath.Join(dir, "none"), "", "no such file"},
	} {
		got, err := Secret(c.path)
		if got != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %q, %v", c.path, got, err)
		}
	}
}
