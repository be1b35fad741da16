package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

// Problem is an answer that is no success (RFC 9457).
type Problem struct {
	Type       string              `json:"type,omitempty"`
	Title      string              `json:"title"`
	Status     int                 `json:"status"`
	Detail     string              `json:"detail,omitempty"`
	Code       string              `json:"code" doc:"what a program decides on: unauthorized, forbidden, csrf, not_found, not_here, exists, changed, stale, refused, captcha, second_factor, throttled, unavailable, ..."`
	Errors     []*huma.ErrorDetail `json:"errors,omitempty"`
	Violations []*schema.Violation `json:"violations,omitempty"`
	Outdated   *OutdatedView       `json:"outdated,omitempty" doc:"of the code changed: the record as it is now, and how the change differs from it"`
	Proof      string              `json:"proof,omitempty" doc:"with second_factor: to be sent as captcha with the code, so that no other captcha is asked"`
	RetryAfter int                 `json:"-"`
}

// Codes of problems.
const (
	codeUnauthorized = "unauthorized"
	codeForbidden    = "forbidden"
	codeCSRF         = "csrf"
	codeNotFound     = "not_found"
	codeNotHere      = "not_here"
	codeExists       = "exists"
	codeChanged      = "changed"
	codeStale        = "stale"
	codeRefused      = "refused"
	codeThrottled    = "throttled"
	codeUnavailable  = "unavailable"
	codeBadRequest   = "bad_request"
	codeInternal     = "internal"
)

func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
}

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of a problem.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set(fiber.HeaderRetryAfter, fmt.Sprint(p.RetryAfter))
	}
	return h
}

func problem(status int, code, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

func notFound(what, key string) *Problem {
	return problem(http.StatusNotFound, codeNotFound, "there is no %s %q", what, key)
}

func unavailable(format string, args ...any) *Problem {
	p := problem(http.StatusServiceUnavailable, codeUnavailable, format, args...)
	p.RetryAfter = 1
	return p
}

// invalid says what is wrong with one field of a request.
func invalid(location, wanted string, got any) *Problem {
	p := problem(http.StatusUnprocessableEntity, codeRefused, "%s: %s", location, wanted)
	p.Errors = []*huma.ErrorDetail{{Location: location, Message: wanted, Value: got}}
	return p
}

// refusal makes a problem of the violations a command met; nil when none refuses.
func refusal(violations []*schema.Violation) error {
	status, code, said := http.StatusUnprocessableEntity, codeRefused, []string(nil)
	for _, v := range violations {
		if v.GetWarning() {
			continue
		}
		if v.GetRule() == "exists" {
			status, code = http.StatusConflict, codeExists
		}
		if v.GetRule() == "changed_meanwhile" {
			status, code = http.StatusConflict, codeChanged
		}
		said = append(said, strings.TrimSpace(fmt.Sprintf("%s %s: %s, wanted %s", v.GetRecord(), v.GetField(), v.GetRule(), v.GetWanted())))
	}
	if said == nil {
		return nil
	}
	p := problem(status, code, "%s", strings.Join(said, "; "))
	p.Violations = violations
	return p
}

// outOfTurn refuses a step that does not follow from the stage a life cycle is in.
func outOfTurn(record, stage, wanted string) error {
	return refusal([]*schema.Violation{{Record: record, Field: "stage", Rule: "life_cycle", Got: stage, Wanted: wanted}})
}

// asProblem gives what the library says of a malformed request the form of all our problems.
func asProblem(_ huma.Context, _ string, body any) (any, error) {
	e, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	code := codeBadRequest
	if e.Status == http.StatusUnprocessableEntity {
		code = codeRefused
	}
	return &Problem{Title: e.Title, Status: e.Status, Detail: e.Detail, Code: code, Errors: e.Errors}, nil
}

// explain turns any error of a handler into a problem; what is nobody's business but ours is logged and hidden.
func (s *Server) explain(ctx context.Context, route string, err error) error {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrQuery):
		return problem(http.StatusBadRequest, codeBadRequest, "%s", strings.TrimPrefix(err.Error(), store.ErrQuery.Error()+": "))
	case errors.Is(err, store.ErrRange):
		return problem(http.StatusUnprocessableEntity, codeRefused, "the range holds too many steps: ask for a longer step or a shorter range")
	case ctx.Err() != nil:
		return unavailable("the answer took too long")
	}
	s.log.Error("request failed", "route", route, "err", err)
	return problem(http.StatusInternalServerError, codeInternal, "the request failed; the site's log has the reason")
}

// lastResort answers errors that no handler made, such as an unknown path or a body that is too large.
func (d *door) lastResort(c *fiber.Ctx, err error) error {
	d.armour(c)
	status := http.StatusInternalServerError
	var fe *fiber.Error
	if errors.As(err, &fe) {
		status = fe.Code
	}
	code := map[int]string{http.StatusNotFound: codeNotFound, http.StatusInternalServerError: codeInternal}[status]
	if code == "" {
		code = codeBadRequest
	}
	if status == http.StatusInternalServerError {
		d.s.log.Error("request failed", "path", c.Path(), "err", err)
	}
	c.Status(status)
	if err := c.JSON(problem(status, code, "%s", http.StatusText(status))); err != nil {
		return fmt.Errorf("write problem: %w", err)
	}
	c.Set(fiber.HeaderContentType, "application/problem+json")
	return nil
}
