package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/node/config"
	"dusthub/schema"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// post is a mail server that wants TLS and a password.
type post struct {
	mu     sync.Mutex
	refuse *smtp.SMTPError
	to     []string
	mails  []string
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &postSession{post: p}, nil }

type postSession struct {
	*post
	known bool
}

func (s *postSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "dusthub" || password != "s3cret-word" {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *postSession) Mail(string, *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.to = append(s.to, to)
	return nil
}

func (s *postSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, string(b))
	return err
}
func (s *postSession) Reset()        {}
func (s *postSession) Logout() error { return nil }

// certified makes a certificate for 127.0.0.1 and the file that trusts it.
func certified(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// mailing is a world with a mail server.
func mailing(t *testing.T, mode, password string) (*world, *post) {
	t.Helper()
	cert, ca := certified(t)
	p := &post{}
	server := smtp.NewServer(p)
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if mode == "tls" {
		l = tls.NewListener(l, server.TLSConfig)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return newWorld(t, func(c *config.Notify) {
		c.SMTP = config.SMTP{Addr: l.Addr().String(), From: "dusthub@example.com", User: "dusthub", PasswordFile: secret, TLS: mode, CAFile: ca}
	}), p
}

func TestEmail(t *testing.T) {
	for _, mode := range []string{"starttls", "tls"} {
		t.Run(mode, func(t *testing.T) {
			w, p := mailing(t, mode, "s3cret-word")
			w.channel(KindEmail, "manager", "a@example.com")
			w.alarm()
			w.work(w.leader)
			d := w.delivery(KindEmail)
			if d.GetStage() != sent || len(p.mails) != 1 || p.to[0] != "a@example.com" {
				t.Fatalf("%v, %d mails", d, len(p.mails))
			}
			if m := p.mails[0]; !strings.Contains(m, ".dusthub>") || !strings.Contains(m, "Auto-Submitted: auto-generated") || !strings.Contains(m, "From: <dusthub@example.com>") {
				t.Errorf("mail %s", m)
			}
		})
	}
}

func TestEmailRefused(t *testing.T) {
	for name, c := range map[string]struct {
		password string
		refuse   *smtp.SMTPError
		stage    string
	}{
		"wrong password":  {"wrong-word", nil, failed},
		"no such mailbox": {"s3cret-word", &smtp.SMTPError{Code: 550, Message: "no a@example.com here"}, givenUp},
		"mailbox busy":    {"s3cret-word", &smtp.SMTPError{Code: 450, Message: "a@example.com is busy"}, failed},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := mailing(t, "starttls", c.password)
			p.refuse = c.refuse
			w.channel(KindEmail, "manager", "a@example.com")
			w.alarm()
			w.work(w.leader)
			d := w.delivery(KindEmail)
			if d.GetStage() != c.stage || strings.Contains(d.GetError(), "word") && name != "wrong password" || strings.Contains(d.GetError(), "example.com") || strings.Contains(d.GetError(), "wrong-word") {
				t.Errorf("%v", d)
			}
		})
	}
}

func TestEmailWantsTLS(t *testing.T) {
	w, p := mailing(t, "starttls", "s3cret-word")
	w.cfg.SMTP.CAFile = "" // the system trusts no such server
	n, r := w.notifier()
	r.lead = true
	w.channel(KindEmail, "manager", "a@example.com")
	w.alarm()
	w.work(n)
	if d := w.delivery(KindEmail); d.GetStage() != failed || len(p.mails) != 0 {
		t.Errorf("%v", d)
	}
	for _, bad := range []string{"", "a", "a@b, c@d", "<a@b>", "a@b\r\nBcc: x@y"} {
		if _, err := w.leader.Seal(KindEmail, []byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// browser makes a subscription as a browser does.
func browser(t *testing.T, endpoint string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := key.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	auth := make([]byte, 16)
	_, _ = rand.Read(auth)
	b, err := json.Marshal(map[string]any{"endpoint": endpoint, "keys": map[string]string{
		"p256dh": base64.RawURLEncoding.EncodeToString(pair.PublicKey().Bytes()), "auth": base64.RawURLEncoding.EncodeToString(auth),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWebPush(t *testing.T) {
	w, h := newWorld(t, func(c *config.Notify) { c.Contact = "mailto:ops@example.com" }), newHook(t)
	h.answer(http.StatusCreated)
	w.channel(KindPush, "manager", browser(t, h.URL+"/push/token"))
	w.alarm()
	w.work(w.leader)
	if d := w.delivery(KindPush); d.GetStage() != sent {
		t.Fatalf("%v", d)
	}
	r := h.got[0]
	if r.Header.Get("Content-Encoding") != "aes128gcm" || r.Header.Get("Urgency") != "high" || len(r.Header.Get("Topic")) != topicLetters || r.Header.Get("TTL") != "86400" {
		t.Errorf("headers %v", r.Header)
	}
	auth := r.Header.Get("Authorization")
	if !strings.HasPrefix(auth, "vapid t=") || !strings.Contains(auth, w.leader.PushKey()) {
		t.Errorf("authorization %q", auth)
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(auth, ".")[1])
	if err != nil || !strings.Contains(string(claims), `"mailto:ops@example.com"`) {
		t.Errorf("claims %s", claims)
	}
	if strings.Contains(string(h.bodies[0]), "Alarm") {
		t.Error("the message is in clear")
	}
}

func TestASubscriptionThatIsGoneIsDisabled(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	h.answer(http.StatusGone)
	c := w.channel(KindPush, "manager", browser(t, h.URL))
	w.alarm()
	w.work(w.leader)
	row, _, _ := w.store.Get("Channel", c.GetId())
	if d := w.delivery(KindPush); d.GetStage() != givenUp || !row.Record.(*schema.Channel).GetDisabled() {
		t.Errorf("%v, %v", d, row.Record)
	}
	for _, bad := range []string{"", "{}", `{"endpoint":"https://x","keys":{"p256dh":"AAAA","auth":"AAAA"}}`} {
		if _, err := w.leader.Seal(KindPush, []byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestVAPIDKey(t *testing.T) {
	dir := t.TempDir()
	var keys [8]vapid
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { keys[i], _ = openVAPID(dir) })
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || k.public == "" {
			t.Fatal("replicas that began at once have different keys")
		}
	}
	info, err := os.Stat(filepath.Join(dir, vapidFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, vapidFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openVAPID(dir); err == nil {
		t.Error("a broken key was taken")
	}
}

func TestSMS(t *testing.T) {
	var got []string
	var header string
	answer := `{"code":"OK"}`
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, header = append(got, string(b)), r.Header.Get("X-App-Key")
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	ca, secret := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "key")
	err := errors.Join(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600), os.WriteFile(secret, []byte("app-key"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *config.Notify) {
		c.SMS = config.SMS{URL: server.URL, Template: `{"to":[{{json .Phone}}],"text":{{json .Text}},"ref":{{json .ID}}}`, Header: "X-App-Key", SecretFile: secret, OKField: "code", OKValue: "OK", CAFile: ca}
	})
	w.channel(KindSMS, "manager", "13800000000")
	w.alarm()
	answer = `{"code":"LIMIT"}`
	w.work(w.leader)
	if d := w.delivery(KindSMS); d.GetStage() != failed {
		t.Fatalf("%v", d)
	}
	answer = `{"code":"OK"}`
	w.pass(time.Minute)
	w.work(w.leader)
	d := w.delivery(KindSMS)
	var body struct {
		To        []string
		Text, Ref string
	}
	if err := json.Unmarshal([]byte(got[1]), &body); err != nil || d.GetStage() != sent || body.To[0] != "13800000000" || body.Ref != d.GetId() || !strings.Contains(body.Text, "苏州一厂") || header != "app-key" {
		t.Errorf("%v %s %v", d, got[1], err)
	}
	for _, bad := range []string{"", "12345", "138000000000", "+0123456789", "110"} {
		if _, err := w.leader.Seal(KindSMS, []byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
