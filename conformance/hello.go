package conformance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/grpc/codes"
)

// Section 4: how a stream begins, and how long it lives.
func helloChecks() []Check {
	return []Check{
		{
			ID: "hello.silence", Section: "4", Sent: "a stream, and nothing on it", Expected: "the stream ends after 10 s", apart: true,
			run: silence,
		},
		{
			ID: "hello.welcome", Section: "4", Sent: "Hello", Expected: "Welcome: the site's id, its epoch, the same major schema version, origins with the site first, positions of this child alone",
			run: welcome,
		},
		{
			ID: "hello.first", Section: "4, 6", Sent: "Status as the first message, before Hello", Expected: "INVALID_ARGUMENT",
			run: func(ctx context.Context, a *audit) (string, error) {
				s, err := a.child.start(ctx)
				if err != nil {
					return "", err
				}
				defer s.close()
				s.send(&rpc.FromChild{What: &rpc.FromChild_Status{Status: &rpc.Status{Time: time.Now().UnixMilli()}}})
				return s.refused(ctx, codes.InvalidArgument)
			},
		},
		unwelcome("hello.other-site", "2, 6", "Hello of another site's id", codes.PermissionDenied, func(_ *audit, h *rpc.Hello) { h.Site += "-x" }),
		unwelcome("hello.major-version", "7", "Hello of the next major schema version", codes.FailedPrecondition, func(_ *audit, h *rpc.Hello) {
			major, _, _ := strings.Cut(schema.Version, ".")
			n, _ := strconv.Atoi(major) // of our own constant
			h.SchemaVersion = strconv.Itoa(n+1) + ".0"
		}),
		{
			ID: "hello.minor-version", Section: "7", Sent: "Hello of a later minor schema version", Expected: "Welcome",
			run: func(ctx context.Context, a *audit) (string, error) {
				h := a.child.hello()
				major, _, _ := strings.Cut(h.GetSchemaVersion(), ".")
				h.SchemaVersion = major + ".999"
				s, err := a.child.open(ctx, h)
				if err != nil {
					return "", err
				}
				s.close()
				return "Welcome", nil
			},
		},
		unwelcome("hello.parent-origin", "5.1", "Hello that offers the site's own ledger", codes.PermissionDenied, func(a *audit, h *rpc.Hello) {
			h.Origins = append(h.Origins, a.target.Site)
		}),
		{
			ID: "hello.old-epoch", Section: "1, 6", Sent: "Hello of an epoch before the one of which entries were taken", Expected: "FAILED_PRECONDITION",
			run: func(ctx context.Context, a *audit) (string, error) {
				s, err := a.child.settled(ctx)
				if err != nil {
					return "", err
				}
				s.close()
				return a.turnedAway(ctx, codes.FailedPrecondition, func(h *rpc.Hello) { h.Epoch-- })
			},
		},
		{
			ID: "hello.twice", Section: "6", Sent: "a second Hello in mid-stream", Expected: "INVALID_ARGUMENT: a message out of place",
			run: func(ctx context.Context, a *audit) (string, error) {
				s, err := a.child.connect(ctx)
				if err != nil {
					return "", err
				}
				defer s.close()
				s.send(&rpc.FromChild{What: &rpc.FromChild_Hello{Hello: a.child.hello()}})
				return s.refused(ctx, codes.InvalidArgument)
			},
		},
		{
			ID: "hello.newer-stream", Section: "4", Sent: "a second stream of the same child", Expected: "the older one ends with ABORTED, the newer one takes batches",
			run: newerStream,
		},
	}
}

// unwelcome is a check with a Hello that is to be refused.
func unwelcome(id, section, sent string, code codes.Code, spoil func(*audit, *rpc.Hello)) Check {
	return Check{ID: id, Section: section, Sent: sent, Expected: name(code), run: func(ctx context.Context, a *audit) (string, error) {
		return a.turnedAway(ctx, code, func(h *rpc.Hello) { spoil(a, h) })
	}}
}

// turnedAway says a Hello that is to be refused with that code.
func (a *audit) turnedAway(ctx context.Context, code codes.Code, spoil func(*rpc.Hello)) (string, error) {
	s, err := a.child.start(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	h := a.child.hello()
	spoil(h)
	s.send(&rpc.FromChild{What: &rpc.FromChild_Hello{Hello: h}})
	return s.refused(ctx, code)
}

func silence(ctx context.Context, a *audit) (string, error) {
	const (
		helloWithin = 10 * time.Second
		early       = 500 * time.Millisecond
	)
	c, err := newChild(a.target, a.silent, a.patience)
	if err != nil {
		return "", err
	}
	defer c.close()
	begun := time.Now()
	s, err := c.start(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	m, err := s.next(ctx, helloWithin+a.patience)
	took := time.Since(begun).Round(time.Millisecond)
	switch {
	case err == nil:
		return "", fmt.Errorf("after %s came %s", took, describe(m))
	case errors.Is(err, errSilent):
		return "", fmt.Errorf("the stream is still open after %s", took)
	case took < helloWithin-early:
		return "", fmt.Errorf("after %s already: %w", took, err)
	}
	return fmt.Sprintf("after %s: %s", took, sentence(err)), nil
}

func welcome(ctx context.Context, a *audit) (string, error) {
	s, err := a.child.open(ctx, a.child.hello())
	if err != nil {
		return "", err
	}
	defer s.close()
	w := s.welcome
	major := func(v string) string { m, _, _ := strings.Cut(v, "."); return m }
	switch {
	case w.GetSite() != a.target.Site:
		return "", fmt.Errorf("it is the Welcome of site %q", w.GetSite())
	case w.GetEpoch() == 0:
		return "", errors.New("there is no epoch in Welcome")
	case major(w.GetSchemaVersion()) != major(schema.Version):
		return "", fmt.Errorf("the schema version in Welcome is %q", w.GetSchemaVersion())
	case len(w.GetOrigins()) == 0 || w.GetOrigins()[0] != a.target.Site:
		return "", fmt.Errorf("the origins in Welcome are %q", w.GetOrigins())
	}
	for _, p := range w.GetPositions() {
		if p.GetFrom() != a.child.name() {
			return "", fmt.Errorf("there is a position in Welcome of what came from %q", p.GetFrom())
		}
	}
	return fmt.Sprintf("Welcome of %s, epoch %d, schema %s, origins %q, %d positions", w.GetSite(), w.GetEpoch(), w.GetSchemaVersion(), w.GetOrigins(), len(w.GetPositions())), nil
}

func newerStream(ctx context.Context, a *audit) (string, error) {
	older, err := a.child.connect(ctx)
	if err != nil {
		return "", err
	}
	defer older.close()
	newer, err := a.child.connect(ctx)
	if err != nil {
		return "", err
	}
	defer newer.close()
	older.mute = true
	got, err := older.refused(ctx, codes.Aborted)
	if err != nil {
		return "", fmt.Errorf("the older stream: %w", err)
	}
	if _, err := newer.grow(ctx); err != nil {
		return "", fmt.Errorf("the newer stream: %w", err)
	}
	return got, nil
}
