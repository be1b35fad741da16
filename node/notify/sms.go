package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"dusthub/node/config"
)

// sms sends short messages through an HTTP gateway whose body the operator writes as a template.
type sms struct {
	cfg    config.SMS
	secret string
	client *http.Client
}

func newSMS(cfg config.SMS, timeout time.Duration) (*sms, error) {
	roots, err := trust(cfg.CAFile, "")
	if err != nil {
		return nil, fmt.Errorf("SMS gateway: %w", err)
	}
	s := &sms{cfg: cfg, client: client(&http.Transport{TLSClientConfig: roots}, timeout)}
	if s.secret, err = config.Secret(cfg.SecretFile); err != nil {
		return nil, fmt.Errorf("SMS gateway: %w", err)
	}
	return s, nil
}

var number = regexp.MustCompile(`^(\+[1-9]\d{6,14}|1[3-9]\d{9})$`)

func (s *sms) check(address []byte) error {
	if !number.Match(address) {
		return errors.New("not a mobile number: 11 digits, or + and the country's code")
	}
	return nil
}

func (s *sms) send(ctx context.Context, address []byte, m message) error {
	body, err := s.cfg.Body(config.ShortMessage{Phone: string(address), Text: m.Title, ID: m.ID})
	if err != nil {
		return fmt.Errorf("%w: the gateway's template fails", ErrPermanent)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: not a URL", ErrPermanent)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set(headerKey, m.ID)
	if s.cfg.Header != "" {
		req.Header.Set(s.cfg.Header, s.secret)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("SMS gateway: %w", bare(err))
	}
	defer res.Body.Close()
	answer := drain(res.Body)
	if err := judged(res.StatusCode); err != nil || s.cfg.OKField == "" {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(answer, &fields); err != nil || fmt.Sprint(fields[s.cfg.OKField]) != s.cfg.OKValue {
		return errors.New("SMS gateway: the answer does not tell success")
	}
	return nil
}
