package ingest

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"dusthub/schema"
)

// problem is an error as RFC 9457 has it.
type problem struct {
	Type       string              `json:"type"`
	Title      string              `json:"title"`
	Status     int                 `json:"status"`
	Detail     string              `json:"detail,omitempty"`
	Code       string              `json:"code"`
	Violations []*schema.Violation `json:"violations,omitempty"`
}

// fault is an error of a door in a form every door can word its own way.
type fault struct {
	status int
	code   string // unauthorized, too_large, rate, unavailable, form, refused, media_type
	detail string
	wait   int // s; for status 429 and 503
}

func (f *fault) Error() string { return f.code + ": " + f.detail }

// retryAfter is what a sender is told to wait when there is no leader.
const retryAfter = 1

// faultOf words an error of the intake or of reading a request.
func faultOf(err error) *fault {
	var f *fault
	var rate *RateError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &rate):
		return &fault{http.StatusTooManyRequests, "rate", "too much from this sender", max(1, int(math.Ceil(rate.Wait.Seconds())))}
	case errors.Is(err, ErrCredential):
		return &fault{http.StatusUnauthorized, "unauthorized", "wrong gateway or secret", 0}
	case errors.As(err, &large):
		return &fault{http.StatusRequestEntityTooLarge, "too_large", "at most " + strconv.FormatInt(large.Limit, 10) + " bytes", 0}
	case errors.Is(err, errForm):
		return &fault{http.StatusBadRequest, "form", err.Error(), 0}
	case errors.Is(err, ErrUnavailable):
		return &fault{http.StatusServiceUnavailable, "unavailable", "not committed, send again", retryAfter}
	}
	return &fault{http.StatusInternalServerError, "internal", "not committed, send again", retryAfter}
}

// header sets what belongs to a fault whatever its body.
func (f *fault) header(w http.ResponseWriter) {
	if f.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.wait))
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="dusthub access"`)
	}
	if f.status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	}
}

func writeProblem(w http.ResponseWriter, f *fault, violations []*schema.Violation) {
	f.header(w)
	writeJSON(w, "application/problem+json", f.status, problem{
		Type: "about:blank", Title: http.StatusText(f.status), Status: f.status, Detail: f.detail, Code: f.code, Violations: violations,
	})
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // answers are made of strings and numbers
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b) // a sender that went away sends again
}
