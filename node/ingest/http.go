package ingest

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"dusthub/schema"
)

// Doors by name, as the code table "door" has them.
const (
	doorJSON   = "http"
	doorLine   = "line"
	doorRemote = "prom"
	doorSM4    = "sm4"
	doorMQTT   = "mqtt"
	doorGRPC   = "frames"
)

// expandedFactor is how many times MaxBody a compressed body may have when it is expanded.
const expandedFactor = 8

// door serves one path: parse fills the batch from the body, answer words the outcome.
type door struct {
	in     *Intake
	name   string
	parse  func(b *Batch, r *http.Request, body []byte) error
	answer func(w http.ResponseWriter, b *Batch, out Outcome)
	fault  func(w http.ResponseWriter, f *fault)
}

// NewHTTP serves the access doors that speak HTTP. Timeouts of the connection are the server's to set.
func NewHTTP(in *Intake) http.Handler {
	mux := http.NewServeMux()
	plain := func(w http.ResponseWriter, f *fault) { writeProblem(w, f, nil) }
	samples := &door{in, doorJSON, func(b *Batch, _ *http.Request, body []byte) error { return parseJSON(b, body) }, answerJSON, plain}
	line := &door{in, doorLine, in.parseLines, answerLine, faultLine}
	remote := &door{in, doorRemote, in.parseRemote, answerRemote, faultRemote}
	mux.Handle("POST /api/v1/samples", samples)
	mux.Handle("POST /api/v2/write", line)
	mux.Handle("POST /write", line)
	mux.Handle("POST /api/v1/prom/write", remote)
	for path, kind := range map[string]reportKind{"realtime": reportLive, "continues": reportBackfill, "heartbeat": reportHeartbeat} {
		mux.Handle("POST /access/v1/"+path, &sm4Door{in, kind})
	}
	return mux
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, b, err := d.take(w, r)
	if err != nil {
		f := faultOf(err)
		if f.status >= http.StatusInternalServerError {
			d.in.opt.Logger.Warn("readings not taken", "door", d.name, "err", err)
		}
		d.fault(w, f)
		return
	}
	d.answer(w, b, out)
}

func (d *door) take(w http.ResponseWriter, r *http.Request) (Outcome, *Batch, error) {
	name, secret, ok := credentials(r)
	if !ok {
		return Outcome{}, nil, ErrCredential
	}
	if _, err := d.in.Authenticate(r.Context(), d.name, remoteHost(r), name, secret); err != nil {
		return Outcome{}, nil, err
	}
	body, err := d.in.body(w, r)
	if err != nil {
		return Outcome{}, nil, err
	}
	b := &Batch{Gateway: name, Door: d.name}
	if err = d.parse(b, r, body); err != nil {
		d.in.malformed(r.Context(), b, body, err)
		return Outcome{}, nil, err
	}
	out, err := d.in.Take(r.Context(), b)
	return out, b, err
}

// malformed keeps a request that could not be read at all in quarantine.
func (in *Intake) malformed(ctx context.Context, b *Batch, body []byte, err error) {
	in.readings.WithLabelValues(b.Door, "refused").Inc()
	b.Content = body
	in.quarantine(ctx, b, Outcome{BadCount: 1, Refused: []*schema.Violation{{Record: "request", Rule: ruleForm, Got: clip(err.Error()), Wanted: "a request this door can read"}}})
}

// body reads a request's body within its limit, expanded when it is gzip.
func (in *Intake) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := in.opt.MaxBody
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	var from io.Reader = http.MaxBytesReader(w, r.Body, limit)
	switch r.Header.Get("Content-Encoding") {
	case "", "identity", "snappy": // snappy is the remote write door's own
	case "gzip":
		z, err := gzip.NewReader(from)
		if err != nil {
			return nil, readError(err)
		}
		limit *= expandedFactor
		from = io.LimitReader(z, limit+1)
	default:
		return nil, &fault{http.StatusUnsupportedMediaType, "media_type", "content encodings: identity, gzip", 0}
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return nil, readError(err)
	}
	if int64(len(body)) > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	return body, nil
}

func readError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return large
	}
	return fmt.Errorf("%w: read body: %w", errForm, err)
}

// credentials are gateway and secret of Basic, Bearer <gateway>:<secret> or Token <gateway>:<secret>.
func credentials(r *http.Request) (gateway, secret string, ok bool) {
	scheme, value, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found {
		return "", "", false
	}
	value = strings.TrimSpace(value)
	switch strings.ToLower(scheme) {
	case "bearer", "token":
	case "basic":
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", "", false
		}
		value = string(raw)
	default:
		return "", "", false
	}
	return strings.Cut(value, ":")
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// samplesAnswer is the answer of the JSON door.
type samplesAnswer struct {
	Stored     int                 `json:"stored"`
	Duplicates int                 `json:"duplicates"`
	Conflicts  int                 `json:"conflicts"`
	Refused    []*schema.Violation `json:"refused"`
}

func answerJSON(w http.ResponseWriter, _ *Batch, out Outcome) {
	if out.Refused != nil && out.Stored+out.Duplicates+out.Conflicts == 0 {
		writeProblem(w, &fault{http.StatusUnprocessableEntity, "refused", strconv.Itoa(out.BadCount) + " readings refused, none stored", 0}, out.Refused)
		return
	}
	if out.Refused == nil {
		out.Refused = []*schema.Violation{}
	}
	writeJSON(w, "application/json", http.StatusOK, samplesAnswer{out.Stored, out.Duplicates, out.Conflicts, out.Refused})
}
