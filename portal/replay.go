package portal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"dusthub/node/engine/risk"
	"dusthub/node/model"
	"dusthub/node/replay"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
)

// replayProblem turns an error of a replay into a problem.
func replayProblem(err error) error {
	switch {
	case errors.Is(err, replay.ErrPlant):
		return problem(http.StatusNotFound, codeNotFound, "%s", err.Error())
	case errors.Is(err, replay.ErrInterval), errors.Is(err, replay.ErrTooMuch), errors.Is(err, replay.ErrModel):
		return problem(http.StatusUnprocessableEntity, codeRefused, "%s", err.Error())
	case errors.Is(err, replay.ErrBusy):
		p := problem(http.StatusTooManyRequests, codeThrottled, "%s", err.Error())
		p.RetryAfter = 10
		return p
	}
	return modelProblem(err)
}

type replayInput struct {
	Enterprise string `query:"enterprise" required:"true" maxLength:"20"`
	From       int64  `query:"from" required:"true"`
	To         int64  `query:"to" required:"true"`
}

// replayed tells an interval of a plant as it was.
func (s *Server) replayed(ctx context.Context, v *viewer, in *replayInput) (out *replay.Past, err error) {
	if _, err := s.enterpriseRow(v, in.Enterprise); err != nil {
		return nil, err
	}
	err = s.opt.Service.Call(v.user.GetLogin(), model.OpReplay, model.Choice{}, 1, func(*risk.Model) error {
		out, err = s.opt.Replayer.Recorded(ctx, in.Enterprise, in.From, in.To)
		return err
	})
	if err != nil {
		return nil, replayProblem(err)
	}
	return out, nil
}

type replayAgainInput struct {
	Body struct {
		model.Choice
		Enterprise string `json:"enterprise" maxLength:"20"`
		From       int64  `json:"from"`
		To         int64  `json:"to"`
	}
}

// replayAgain judges an interval of a plant anew, by the model of that time unless another is named.
func (s *Server) replayAgain(ctx context.Context, v *viewer, in *replayAgainInput) (out *replay.Past, err error) {
	b := &in.Body
	if _, err := s.enterpriseRow(v, b.Enterprise); err != nil {
		return nil, err
	}
	err = s.opt.Service.Call(v.user.GetLogin(), model.OpReplay, b.Choice, 1, func(m *risk.Model) error {
		if b.Version == "" && b.Document == "" {
			m = nil // that of the time
		}
		out, err = s.opt.Replayer.Again(ctx, b.Enterprise, b.From, b.To, m)
		return err
	})
	if err != nil {
		return nil, replayProblem(err)
	}
	return out, nil
}

type backTestInput struct {
	Body struct {
		model.Choice
		From   int64  `json:"from"`
		To     int64  `json:"to"`
		Region string `json:"region,omitempty" maxLength:"6" doc:"GB/T 2260: plants of it and what lies in it"`
		StepMs int64  `json:"step_ms,omitempty" minimum:"0" maximum:"60000" doc:"between looks at the clock; 0: ten seconds"`
	}
}

// BackTestLine is a line of a back-test's answer.
type BackTestLine struct {
	Progress *Progress        `json:"progress,omitempty"`
	Result   *replay.BackTest `json:"result,omitempty"`
	Error    string           `json:"error,omitempty"`
	err      error
}

// Progress is how many plants of how many were judged.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

const (
	backTestBeat    = 2 * time.Second // progress is told again, so that a reader who has gone is noticed
	backTestLongest = time.Hour
)

// backTest judges stored history by a draft beside the model in force. It answers line by line while it works, and ends when its
// reader goes.
func (s *Server) backTest(_ context.Context, v *viewer, in *backTestInput) (*huma.StreamResponse, error) {
	if in.Body.Version == "" && in.Body.Document == "" {
		return nil, invalid("body.version", "a version or a document to test", "")
	}
	ctx, cancel := context.WithTimeout(context.Background(), backTestLongest)
	lines := make(chan BackTestLine, 1)
	go s.runBackTest(ctx, v, in, lines)
	first := <-lines
	if first.err != nil {
		cancel()
		return nil, replayProblem(first.err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		c := humafiber.Unwrap(h)
		c.Set("Content-Type", "application/x-ndjson; charset=utf-8")
		c.Set("X-Accel-Buffering", "no")
		conn := c.Context().Conn()
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			defer cancel()
			s.tell(conn, w, first, lines)
		})
	}}, nil
}

func (s *Server) runBackTest(ctx context.Context, v *viewer, in *backTestInput, lines chan<- BackTestLine) {
	defer close(lines)
	prefix := regionPrefix(in.Body.Region)
	last := BackTestLine{}
	err := s.opt.Service.Call(v.user.GetLogin(), model.OpBackTest, in.Body.Choice, 1, func(draft *risk.Model) error {
		out, err := s.opt.Replayer.BackTest(ctx, replay.Question{
			Running: s.opt.Model(), Draft: draft, From: in.Body.From, To: in.Body.To, Step: in.Body.StepMs,
			Wanted: func(e *schema.Enterprise) bool {
				return strings.HasPrefix(e.GetRegion(), prefix) && s.sees(v, e.GetCode())
			},
		}, func(done, total int) error {
			select {
			case lines <- BackTestLine{Progress: &Progress{done, total}}:
			default: // the reader has one to read
			}
			return ctx.Err()
		})
		last.Result = out
		return err
	})
	if err != nil {
		last = BackTestLine{err: err, Error: "the back-test failed"}
		var p *Problem
		if errors.As(replayProblem(err), &p) {
			last.Error = p.Detail
		} else if ctx.Err() == nil {
			s.log.Error("back-test failed", "err", err)
		}
	}
	select {
	case lines <- last:
	case <-ctx.Done():
	}
}

// tell writes lines as they come until the last, or the reader has gone.
func (s *Server) tell(conn net.Conn, w *bufio.Writer, next BackTestLine, lines <-chan BackTestLine) {
	beat := time.NewTicker(backTestBeat)
	defer beat.Stop()
	encode := json.NewEncoder(w)
	for more := true; more; {
		if err := conn.SetWriteDeadline(time.Now().Add(flushWithin)); err != nil {
			return
		}
		if err := errors.Join(encode.Encode(next), w.Flush()); err != nil {
			return
		}
		select {
		case <-s.streams.closing:
			return
		case <-beat.C:
		case got, ok := <-lines:
			if more = ok; ok {
				next = got
			}
		}
	}
}

func (d *door) replayRoutes() {
	s := d.s
	handle(d, "replay", s.replayed)
	handle(d, "replay-again", s.replayAgain)
	handleRaw(d, "model-back-test", s.backTest)
	d.streamed("model-back-test", "application/x-ndjson", reflect.TypeFor[BackTestLine]())
}
