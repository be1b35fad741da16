package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"
)

const requestTimeout = 2 * time.Minute

// plain speaks to whoever wants no session; connections are kept.
var plain = &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}

// fetch reads a URL whole.
func fetch(ctx context.Context, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("request: %w", err)
	}
	return do(plain, req)
}

func do(c *http.Client, req *http.Request) (int, []byte, error) {
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	return res.StatusCode, body, nil
}

// session is the administrator at a site's portal.
type session struct {
	base, csrf string
	client     *http.Client
}

func login(ctx context.Context, base, password string) (*session, error) {
	jar, _ := cookiejar.New(nil) // the error is for a bad public suffix list; nil has none
	s := &session{base: base, client: &http.Client{Jar: jar, Timeout: requestTimeout}}
	var answer struct {
		CSRF string `json:"csrf"`
	}
	err := s.call(ctx, http.MethodPost, "/api/v1/session", map[string]string{"login": "admin", "password": password}, &answer)
	s.csrf = answer.CSRF
	return s, err
}

func (s *session) call(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, content)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-CSRF-Token", s.csrf)
	code, raw, err := do(s.client, req)
	if err != nil {
		return err
	}
	if code/100 != 2 {
		return fmt.Errorf("%s %s: %d %.500s", method, path, code, raw)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
