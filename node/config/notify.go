package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/template"
	"time"
)

// Notify is how people are called when an alarm or a warning needs them (F2.2, F2.3, F3.3, F3.4). Secrets are in files it names.
type Notify struct {
	Language    string        `koanf:"language" validate:"oneof=zh en"`                                     // of messages
	URL         string        `koanf:"url" validate:"omitempty,url"`                                        // of the regulator portal, for links in messages; empty: none
	Queue       int           `koanf:"queue" validate:"min=10,max=1000000"`                                 // deliveries that wait at most
	Workers     int           `koanf:"workers" validate:"min=1,max=256"`                                    // deliveries on their way at most
	Attempts    int           `koanf:"attempts" validate:"min=1,max=100"`                                   // after so many a delivery is given up
	Backoff     time.Duration `koanf:"backoff" validate:"min=1s,max=1h"`                                    // after the first attempt; doubles
	BackoffMost time.Duration `koanf:"backoff_most" validate:"min=1s,max=24h"`                              // and grows no longer than this
	Timeout     time.Duration `koanf:"timeout" validate:"min=1s,max=5m"`                                    // of one attempt
	Private     bool          `koanf:"allow_private"`                                                       // webhooks may name loopback and private addresses, and plain http
	Networks    []string      `koanf:"allow_networks" validate:"dive,cidr"`                                 // private networks whose addresses webhooks and push services may have, such as 10.0.0.0/8
	Contact     string        `koanf:"contact" validate:"omitempty,startswith=mailto:|startswith=https://"` // who answers to push services (RFC 8292)
	SMTP        SMTP          `koanf:"smtp"`
	Webhook     Webhook       `koanf:"webhook"`
	SMS         SMS           `koanf:"sms"`
}

// SMTP is the mail server; without an address there is no e-mail.
type SMTP struct {
	Addr         string `koanf:"addr" validate:"omitempty,address"`
	From         string `koanf:"from" validate:"omitempty,email"`
	User         string `koanf:"user"`
	PasswordFile string `koanf:"password_file"`
	TLS          string `koanf:"tls" validate:"oneof=starttls tls none"` // none never carries a password
	CAFile       string `koanf:"ca_file"`                                // PEM; empty: the system's
}

// Webhook signs what is posted to webhooks; without a secret there are none.
type Webhook struct {
	SecretFile string `koanf:"secret_file"`
}

// SMS is the gateway that sends short messages; without a URL there are none.
type SMS struct {
	URL        string `koanf:"url" validate:"omitempty,url"`
	Template   string `koanf:"template"`    // JSON with {{json .Phone}}, {{json .Text}}, {{json .ID}}
	Header     string `koanf:"header"`      // that carries the secret, such as Authorization
	SecretFile string `koanf:"secret_file"` // the header's whole value
	OKField    string `koanf:"ok_field"`    // of the JSON answer that tells success; empty: status 2xx does
	OKValue    string `koanf:"ok_value"`
	CAFile     string `koanf:"ca_file"` // PEM; empty: the system's
}

// ErrTemplate says that a template does not give JSON.
var ErrTemplate = errors.New("must give JSON, such as {\"phone\":{{json .Phone}},\"content\":{{json .Text}},\"id\":{{json .ID}}}")

// ShortMessage is what the template of an SMS gateway has to work with.
type ShortMessage struct{ Phone, Text, ID string }

// Body fills the gateway's template in. Errors: ErrTemplate.
func (s SMS) Body(m ShortMessage) ([]byte, error) {
	t, err := template.New("sms").Option("missingkey=error").Funcs(template.FuncMap{"json": func(v string) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(s.Template)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if !json.Valid(b.Bytes()) {
		return nil, ErrTemplate
	}
	return b.Bytes(), nil
}

// Secret reads a secret of a file the configuration names; empty for none. The error names the file, never what is in it.
func Secret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("secret: %s is empty", path)
	}
	return s, nil
}

// problems judges what holds between the keys of the section, and the files it names.
func (n Notify) problems() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if n.BackoffMost < n.Backoff {
		add("notify.backoff_most: must be at least notify.backoff %s, is %s", n.Backoff, n.BackoffMost)
	}
	m := n.SMTP
	if (m.Addr == "") != (m.From == "") {
		add("notify.smtp: addr and from belong together, have %q and %q", m.Addr, m.From)
	}
	if (m.User == "") != (m.PasswordFile == "") {
		add("notify.smtp: user and password_file belong together")
	}
	if m.User != "" && m.TLS == "none" {
		add("notify.smtp.tls: a password needs starttls or tls, is %q", m.TLS)
	}
	for _, f := range []struct{ key, path string }{
		{"notify.smtp.password_file", m.PasswordFile}, {"notify.smtp.ca_file", m.CAFile}, {"notify.webhook.secret_file", n.Webhook.SecretFile},
		{"notify.sms.secret_file", n.SMS.SecretFile}, {"notify.sms.ca_file", n.SMS.CAFile},
	} {
		if err := readable(f.key, f.path); err != nil {
			errs = append(errs, err)
		}
	}
	return append(errs, n.SMS.problems()...)
}

func (s SMS) problems() []error {
	if s.URL == "" {
		return nil
	}
	var errs []error
	if u, err := url.Parse(s.URL); err != nil || u.Scheme != "https" || u.User != nil {
		errs = append(errs, errors.New("notify.sms.url: must be https, without a password"))
	}
	if _, err := s.Body(ShortMessage{Phone: "13800000000", Text: "\"", ID: "1"}); err != nil {
		errs = append(errs, fmt.Errorf("notify.sms.template: %w", err))
	}
	if (s.Header == "") != (s.SecretFile == "") {
		errs = append(errs, errors.New("notify.sms: header and secret_file belong together"))
	}
	if (s.OKField == "") != (s.OKValue == "") {
		errs = append(errs, errors.New("notify.sms: ok_field and ok_value belong together"))
	}
	return errs
}
