package notify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"time"

	"dusthub/crypto/sm"
	"dusthub/node/config"

	gomail "github.com/wneessen/go-mail"
)

// mailer sends e-mail through the site's mail server.
type mailer struct {
	host string
	from string
	site string
	opts []gomail.Option
}

func newMail(c config.SMTP, site string, timeout time.Duration) (*mailer, error) {
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	roots, err := trust(c.CAFile, host)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	m := &mailer{host: host, from: c.From, site: site, opts: []gomail.Option{gomail.WithPort(number), gomail.WithTimeout(timeout), gomail.WithTLSConfig(roots)}}
	switch c.TLS {
	case "tls":
		m.opts = append(m.opts, gomail.WithSSL())
	case "none":
		m.opts = append(m.opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		m.opts = append(m.opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if c.User == "" {
		return m, nil
	}
	password, err := config.Secret(c.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	m.opts = append(m.opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.User), gomail.WithPassword(password))
	return m, nil
}

func (m *mailer) check(address []byte) error {
	const longest = 254 // RFC 5321
	if a, err := mail.ParseAddress(string(address)); err != nil || a.Address != string(address) || len(address) > longest {
		return errors.New("not an e-mail address")
	}
	return nil
}

func (m *mailer) send(ctx context.Context, address []byte, msg message) error {
	out := gomail.NewMsg()
	if err := errors.Join(out.From(m.from), out.To(string(address))); err != nil {
		return fmt.Errorf("%w: not an e-mail address", ErrPermanent)
	}
	id := sm.SM3([]byte(msg.ID))
	out.SetMessageIDWithValue(hex.EncodeToString(id[:]) + "@" + m.site + ".dusthub")
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetDate()
	out.Subject(msg.Title)
	text := msg.Text
	if msg.URL != "" {
		text += "\n\n" + msg.URL
	}
	out.SetBodyString(gomail.TypeTextPlain, text)
	c, err := gomail.NewClient(m.host, m.opts...)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	if err := c.DialAndSendWithContext(ctx, out); err != nil {
		return mailError(err)
	}
	return nil
}

// mailError tells refusals for good from passing ones, without the address the server may repeat.
func mailError(err error) error {
	var s *gomail.SendError
	if !errors.As(err, &s) {
		var dial *net.OpError
		if errors.As(err, &dial) {
			return fmt.Errorf("mail server: %w", dial)
		}
		return errors.New("mail server: the session failed (TLS, log-in or protocol)")
	}
	if code := s.ErrorCode(); code >= 500 && !s.IsTemp() {
		return fmt.Errorf("%w: mail server answered %d", ErrPermanent, code)
	}
	return fmt.Errorf("mail server answered %d", s.ErrorCode())
}
