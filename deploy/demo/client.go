package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"time"
)

// requestTimeout bounds one call of the portals' API: with a country's thirty sites on a few cores an answer may take its time.
const requestTimeout = time.Minute

// statusError is an answer of the API that is not a success.
type statusError struct {
	Status int
	Body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("answer %d: %s", e.Status, e.Body) }

// session is one logged-in person, as a browser would be: a cookie and a CSRF token.
type session struct {
	base, login, password string
	client                *http.Client
	mu                    sync.Mutex
	csrf                  string
}

func newSession(base, login, password string) *session {
	jar, _ := cookiejar.New(nil) // the error is for a bad public suffix list; nil has none
	return &session{base: base, login: login, password: password, client: &http.Client{Jar: jar, Timeout: requestTimeout}}
}

// open logs in.
func (s *session) open(ctx context.Context) error {
	var answer struct {
		CSRF string `json:"csrf"`
	}
	if err := s.once(ctx, http.MethodPost, "/api/v1/session", map[string]string{"login": s.login, "password": s.password}, &answer); err != nil {
		return fmt.Errorf("log in as %s at %s: %w", s.login, s.base, err)
	}
	s.mu.Lock()
	s.csrf = answer.CSRF
	s.mu.Unlock()
	return nil
}

func (s *session) get(ctx context.Context, path string, answer any) error {
	return s.call(ctx, http.MethodGet, path, nil, answer)
}

func (s *session) post(ctx context.Context, path string, body, answer any) error {
	return s.call(ctx, http.MethodPost, path, body, answer)
}

// call makes a call, logging in first when there is no session (any more).
func (s *session) call(ctx context.Context, method, path string, body, answer any) error {
	s.mu.Lock()
	fresh := s.csrf == ""
	s.mu.Unlock()
	if fresh {
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	err := s.once(ctx, method, path, body, answer)
	var status *statusError
	if errors.As(err, &status) && status.Status == http.StatusUnauthorized {
		if err := s.open(ctx); err != nil {
			return err
		}
		err = s.once(ctx, method, path, body, answer)
	}
	if err != nil {
		return fmt.Errorf("%s %s as %s: %w", method, path, s.login, err)
	}
	return nil
}

func (s *session) once(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case photo:
		content, contentType = bytes.NewReader(b), "image/png"
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, content)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("X-File-Name", "photo.png")
	}
	s.mu.Lock()
	req.Header.Set("X-CSRF-Token", s.csrf)
	s.mu.Unlock()
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 2000)) // best effort: the status says enough
		return &statusError{res.StatusCode, strings.TrimSpace(string(text))}
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}
